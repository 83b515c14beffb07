/**
 * Sends the gateway's requests to the service. It knows which ids were sent, so it also answers a request that is sent
 * a second time.
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
 * A request that has passed all checks.
 *
 * @category models
 */
export interface Request {
  /** `stream` if the caller asked for server-sent events. */
  readonly kind: ImageGenerateParams.Kind
  /** The params, with their defaults filled in. */
  readonly params: Attempt.Call["params"]
}

/**
 * The reply to a request: either the bytes of the service's reply, or decoded images.
 *
 * @category models
 */
export type Reply =
  | {
      readonly _tag: "Json"
      readonly bytes: Stream.Stream<Uint8Array, GradientError.GradientError>
      /** The `content-length` of the bytes, if it is known. */
      readonly length: string | undefined
    }
  | { readonly _tag: "EventStream"; readonly bytes: Stream.Stream<Uint8Array, GradientError.GradientError> }
  | { readonly _tag: "Response"; readonly response: ImageGenerateResponse.ImageGenerateResponse }
  | {
      readonly _tag: "Events"
      readonly events: Stream.Stream<ImageGenStreamEvent.ImageGenStreamEvent, GradientError.GradientError>
    }

/**
 * Wraps the effect that sends a request. It counts the images towards the caller's limit before, and subtracts them if the
 * request was not charged for. Do not wrap a request that is not sent.
 *
 * @category models
 */
export type Send = <A, R>(
  sending: Effect.Effect<A, GradientError.GradientError, R>
) => Effect.Effect<A, GradientError.GradientError, R>

/**
 * Sends requests, each at most once.
 *
 * @category services
 */
export class Attempts extends Context.Service<
  Attempts,
  {
    /**
     * Sends the request, unless one with this id was sent before. The id starts with the caller's id. It is `undefined` if
     * the caller sent none. When the scope closes, the reply is cut off.
     */
    readonly run: (
      id: string | undefined,
      request: Request,
      send: Send
    ) => Effect.Effect<Reply, GradientError.GradientError, Scope.Scope>
  }
>()("@effect-gradient/gateway/Attempts") {}

/** From the code core's client knows that the first request may have been charged for. */
const duplicate = GradientError.fromReason(
  new GradientError.ConflictError({ code: duplicateAttempt, status: 409, shouldRetry: false })
)

/**
 * Passes the service's bytes on without decoding them. A request whose id was sent before fails with `ConflictError`. An
 * id can be used again if its request was not charged for. The entries of `Attempt.Around` run around each request; their
 * outcomes have no images, because none is decoded.
 *
 * The ids of the last hour are kept in memory, at most 100,000. If several processes serve, all requests of a connection
 * must reach the same process.
 *
 * @category layers
 */
// Fresh, because Effect memoises a layer by reference: a second gateway in one program would send with the first one's key.
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
