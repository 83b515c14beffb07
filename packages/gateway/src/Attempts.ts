/**
 * Sends the gateway's requests to the service. It knows which ids were sent, so it also answers a request that is sent
 * a second time.
 */
import {
  Attempt,
  type GradientClient,
  GradientError,
  type ImageGenerateParams,
  type ImageGenerateResponse,
  type ImageGenStreamEvent,
  type Images
} from "@effect-gradient/core"
import type { DurableImages } from "@effect-gradient/durable"
import * as Clock from "effect/Clock"
import * as Context from "effect/Context"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import type * as Scope from "effect/Scope"
import type * as Stream from "effect/Stream"
import { duplicateAttempt, notKept } from "./ApiError.ts"
import { makeAttemptIds } from "./internal/attemptIds.ts"
import { makeDurable } from "./internal/durableAttempts.ts"
import { makeUpstream } from "./internal/upstream.ts"

/**
 * A request that has passed all checks.
 *
 * @category models
 * @since 0.1.0
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
 * @since 0.1.0
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
 * Identifies a request. A caller cannot reach another caller's requests.
 *
 * @category models
 * @since 0.1.0
 */
export interface RequestId {
  /** The id of the caller. */
  readonly caller: string
  /** From the header `x-attempt-id`: 32 hexadecimal digits. `undefined` if the caller sent none. */
  readonly attempt: string | undefined
  /** From the response's header `x-request-id`, in the same form. Every request has one. */
  readonly request: string
}

/**
 * Sends requests, each at most once.
 *
 * @category services
 * @since 0.1.0
 */
export class Attempts extends Context.Service<
  Attempts,
  {
    /**
     * Sends the request, unless one with this id was sent before. If it is sent, `limit` runs as the outermost entry of
     * `Attempt.Around`. The scope closes when the caller leaves.
     */
    readonly run: (
      id: RequestId,
      request: Request,
      limit: Attempt.Entry
    ) => Effect.Effect<Reply, GradientError.GradientError, Scope.Scope>
    /** Returns the reply to an earlier request of this caller. It never sends a request. */
    readonly join: (
      id: Omit<RequestId, "attempt">,
      kind: ImageGenerateParams.Kind
    ) => Effect.Effect<Reply, GradientError.GradientError, Scope.Scope>
  }
>()("@effect-gradient/gateway/Attempts") {}

/** The code shows core's client that the first request may have been charged for. */
const duplicate = GradientError.fromReason(
  new GradientError.ConflictError({ code: duplicateAttempt, status: 409, shouldRetry: false })
)

const unkept = GradientError.fromReason(new GradientError.NotFoundError({ code: notKept, reached: "NotSent" }))

/**
 * Passes the service's bytes on without decoding them. A request whose id was sent before fails with `ConflictError`. An
 * id can be used again if its request was not charged for. The entries of `Attempt.Around` run around each request; their
 * outcomes have no images, because none is decoded.
 *
 * The ids of the last hour are kept in memory, at most 100,000. With several processes, all requests of a connection
 * must reach the same process.
 *
 * @category layers
 * @since 0.1.0
 */
// Fresh, because Effect memoises a layer by reference: a second gateway in one program would send with the first one's key.
export const layerOnce: Layer.Layer<Attempts, never, GradientClient.GradientClient> = Layer.fresh(
  Layer.effect(
    Attempts,
    Effect.gen(function* () {
      const ids = makeAttemptIds()
      const upstream = yield* makeUpstream
      return Attempts.of({
        join: () => unkept,
        run: Effect.fnUntraced(function* ({ attempt, caller }, request, limit) {
          const sending = Effect.updateService(upstream(request), Attempt.Around, (entries) => [limit, ...entries])
          if (attempt === undefined) return yield* sending
          const id = `${caller}/${attempt}`
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

/**
 * Sends through `DurableImages`, with the key `<caller>/<id>`. A caller who leaves does not end the generation. A request
 * with an id that was sent before joins it, or gets its images from the store. Any number of processes can share a journal
 * and a store.
 *
 * Without `x-attempt-id` the id is the one in the response's header `x-request-id`. The optional peer dependency
 * `@effect-gradient/durable` has the layers that this one requires.
 *
 * @category layers
 * @since 0.1.0
 */
export const layerDurable: Layer.Layer<Attempts, never, Images.Images | DurableImages.DurableImages> = Layer.fresh(
  Layer.effect(Attempts, makeDurable)
)
