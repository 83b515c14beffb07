/**
 * Sends the gateway's requests to the service, and recognises a request that has the `x-attempt-id` of an earlier one.
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
 * A request whose params were checked.
 *
 * @category models
 * @since 0.1.0
 */
export interface Request {
  /** `stream` if the caller asked for server-sent events, else `generate`. */
  readonly kind: ImageGenerateParams.Kind
  /** The params. The defaults of `model`, `n` and, for a stream, `partialImages` are filled in. */
  readonly params: Attempt.Call["params"]
}

/**
 * The reply to a request: either bytes in the wire format, or decoded images.
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
 * Identifies a request. It contains the id of the caller, so that a caller cannot reach the requests of another caller.
 *
 * @category models
 * @since 0.1.0
 */
export interface RequestId {
  /** The id of the caller. */
  readonly caller: string
  /** The header `x-attempt-id` of the request, as 32 hexadecimal digits. `undefined` if the request had none. */
  readonly attempt: string | undefined
  /**
   * The header `x-request-id` of the response, as 32 hexadecimal digits. For `join`, the id in the path of the GET.
   */
  readonly request: string
}

/**
 * Sends requests to the service without retrying them, and joins earlier ones.
 *
 * @category services
 * @since 0.1.0
 */
export class Attempts extends Context.Service<
  Attempts,
  {
    /**
     * Sends the request, unless the layer knows of an earlier request with this id that is under way or may have been
     * charged for. If it sends, `limit` is the outermost entry of `Attempt.Around`. The scope closes when the response
     * has ended or the caller has left.
     */
    readonly run: (
      id: RequestId,
      request: Request,
      limit: Attempt.Entry
    ) => Effect.Effect<Reply, GradientError.GradientError, Scope.Scope>
    /**
     * Waits for the reply to an earlier request of this caller. Fails if that request failed or its reply is not kept.
     * It never sends a request to the service.
     */
    readonly join: (
      id: Omit<RequestId, "attempt">,
      kind: ImageGenerateParams.Kind
    ) => Effect.Effect<Reply, GradientError.GradientError, Scope.Scope>
  }
>()("@effect-gradient/gateway/Attempts") {}

/**
 * The error for a request that has the same id as an earlier one. By its code, core's client knows that the earlier
 * request may have been charged for.
 */
const duplicate = GradientError.fromReason(
  new GradientError.ConflictError({ code: duplicateAttempt, status: 409, shouldRetry: false })
)

const unkept = GradientError.fromReason(new GradientError.NotFoundError({ code: notKept, reached: "NotSent" }))

/**
 * Sends each request once, and passes the bytes of the reply on without decoding them. A request fails with
 * `ConflictError` if an earlier request of its caller had the same id, unless that request failed before its reply
 * began and was not charged for. The entries of `Attempt.Around` run around each request. Their outcomes have no
 * images, because no image is decoded.
 *
 * The ids of the last hour are kept in memory, at most 100,000. Each process knows only its own ids, so all requests
 * with the same id must reach the same process.
 *
 * @category layers
 * @since 0.1.0
 */
// Effect memoises a layer by reference. Without `Layer.fresh`, a second gateway in the same program could send requests
// with the key of the first one.
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
 * Sends each request through `DurableImages`, with the idempotency key `<caller>/<id>`. By default, the generation
 * continues when its caller leaves. A second request with the same id joins the generation, or gets its images from the
 * store. If the first one failed without being charged for, the second one is sent. The second one fails if the outcome
 * of the first one is unknown (`InDoubtError`), if the images were removed (`ExpiredError`), or if it has other params
 * (`ConflictError`). Processes can share a journal and a store, unless these are in memory.
 *
 * The id is the request's header `x-attempt-id`, or the response's header `x-request-id` if the request had none.
 * `DurableImages.layer`, which provides `DurableImages` and `Images`, is in the optional peer dependency
 * `@effect-gradient/durable`.
 *
 * @category layers
 * @since 0.1.0
 */
export const layerDurable: Layer.Layer<Attempts, never, Images.Images | DurableImages.DurableImages> = Layer.fresh(
  Layer.effect(Attempts, makeDurable)
)
