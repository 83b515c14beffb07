/**
 * How the gateway sends a request, and what it does with a request that it has sent before. The attempts own the sending,
 * so that they can remember what was sent, and what came of it.
 */
import {
  type Attempt,
  type GradientClient,
  GradientError,
  type ImageGenerateParams,
  type ImageGenerateResponse,
  type ImageGenStreamEvent
} from "@effect-gradient/core"
import * as Clock from "effect/Clock"
import * as Context from "effect/Context"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import type * as Scope from "effect/Scope"
import type * as Stream from "effect/Stream"
import { duplicateAttempt } from "./ApiError.ts"
import { makeAttemptIds } from "./internal/attemptIds.ts"
import { makeUpstream } from "./internal/upstream.ts"

/**
 * A request that has passed every rule.
 *
 * @category models
 */
export interface Request {
  /** `stream` if the caller asked for server-sent events. */
  readonly kind: ImageGenerateParams.Kind
  /** The params with their defaults. `n` images will be paid for. */
  readonly params: Attempt.Call["params"]
}

/**
 * What answers a request: either the bytes of the service, or decoded images.
 *
 * @category models
 */
export type Reply =
  | {
      readonly _tag: "Json"
      readonly bytes: Stream.Stream<Uint8Array, GradientError.GradientError>
      /** The length of the bytes, if it is known. */
      readonly length: string | undefined
    }
  | { readonly _tag: "EventStream"; readonly bytes: Stream.Stream<Uint8Array, GradientError.GradientError> }
  | { readonly _tag: "Response"; readonly response: ImageGenerateResponse.ImageGenerateResponse }
  | {
      readonly _tag: "Events"
      readonly events: Stream.Stream<ImageGenStreamEvent.ImageGenStreamEvent, GradientError.GradientError>
    }

/**
 * Wraps the effect that sends a request: it counts the images towards the caller's limit first, and takes them back if
 * the request was refused. A request that is not sent must not be wrapped.
 *
 * @category models
 */
export type Send = <A, R>(
  sending: Effect.Effect<A, GradientError.GradientError, R>
) => Effect.Effect<A, GradientError.GradientError, R>

/**
 * Carries requests out, each at most once.
 *
 * @category services
 */
export class Attempts extends Context.Service<
  Attempts,
  {
    /**
     * Sends a request, or answers it otherwise if one with this id was sent before. An id contains the caller's; it is
     * `undefined` if the caller gave none. The reply ends with the scope.
     */
    readonly run: (
      id: string | undefined,
      request: Request,
      send: Send
    ) => Effect.Effect<Reply, GradientError.GradientError, Scope.Scope>
  }
>()("@effect-gradient/gateway/Attempts") {}

/** Core knows by the code that the first request may have been charged for. */
const duplicate = GradientError.fromReason(
  new GradientError.ConflictError({ code: duplicateAttempt, status: 409, shouldRetry: false })
)

/**
 * Passes the bytes of the service on without decoding them. The entries of `Attempt.Around` run around each request; their
 * outcome has no images, as none is decoded. It refuses an id that it has seen before, and forgets one
 * whose request was refused before it was charged. Ids are kept in memory for an hour, the latest 100,000: if several
 * processes serve, all requests of a connection must reach the same one.
 *
 * @category layers
 */
// Fresh: Effect memoises a layer by reference, so a second gateway in one program would send with the first one's key.
export const layerOnce: Layer.Layer<Attempts, never, GradientClient.GradientClient> = Layer.fresh(
  Layer.effect(
    Attempts,
    Effect.gen(function* () {
      const ids = makeAttemptIds()
      const upstream = yield* makeUpstream
      return Attempts.of({
        run: Effect.fnUntraced(function* (id, request, send) {
          const sending = send(upstream(request))
          if (id === undefined) return yield* sending
          const isNew = ids.claim(id, yield* Clock.currentTimeMillis)
          if (!isNew) return yield* duplicate
          return yield* Effect.tapError(sending, (error) =>
            Effect.sync(() => {
              if (!error.mayHaveBeenCharged) ids.release(id)
            })
          )
        })
      })
    })
  )
)
