/**
 * The models of the module `Attempt`. They are in a file of their own to avoid a cycle of imports: `Images` imports the
 * models, and `Attempt` imports `Images`.
 */
import * as Context from "effect/Context"
import * as Data from "effect/Data"
import type * as Effect from "effect/Effect"
import type { GeneratedImage } from "../../GeneratedImage.ts"
import type { GradientErrorReason } from "../../GradientError.ts"
import type { ImageGenerateParamsStreaming, Kind } from "../../ImageGenerateParams.ts"
import type { ImageGenerateResponse, Usage } from "../../ImageGenerateResponse.ts"
import type { ImageGenStreamEvent } from "../../ImageGenStreamEvent.ts"

/**
 * The host and port of a base URL.
 *
 * @category models
 * @since 0.1.0
 */
export interface Server {
  /** The host name or IP address. */
  readonly address: string
  readonly port: number
}

/**
 * The part of a call's params and options that `Attempt` entries can read.
 *
 * @category models
 * @since 0.1.0
 */
export interface Call {
  /** The kind of call: `generate`, or `stream` for `generateStream`. */
  readonly kind: Kind
  /** The params of the call, with the `model`, `n` and `partialImages` of the request's body. */
  readonly params: ImageGenerateParamsStreaming & { readonly model: string; readonly n: number }
  /** The idempotency key of the call. `DurableImages` replaces it with its SHA-256. */
  readonly idempotencyKey?: string | undefined
  /** The labels from the options of the call. */
  readonly labels: Readonly<Record<string, string>>
  /** The server of the client's base URL. Undefined if the base URL has no scheme, as it can be in a web page. */
  readonly server?: Server | undefined
}

/**
 * One request that the service may charge for.
 *
 * @category models
 * @since 0.1.0
 */
export interface Attempt extends Call {
  /** The number of this attempt within its call, from 1. */
  readonly number: number
}

/**
 * How an attempt ended.
 *
 * - `NotSent`: it is proven that nothing was sent, for example because a `wait` or a `begin` failed or was interrupted,
 *   or because no connection was made. After an interruption, `reason` is undefined.
 * - `Completed`: the whole reply arrived, or, in a stream, the last of the requested images. A reply can have fewer
 *   images than requested.
 * - `Failed`: the request failed. `reason.mayHaveBeenCharged` shows whether it may have been charged for.
 * - `Left`: the caller was interrupted, or stopped reading the stream before the last requested image, or a transform
 *   sent another request after a response or an interruption. The images may have been charged for.
 *
 * `images` has the images that were decoded; those of a stream only if an entry needs them, or if they are in
 * `reason.images`. After a `generate` that was interrupted, `images` is empty. If a stream ended within an image, the
 * last item of `images` is the last partial image, if there was one. `response` is the whole response, also for a
 * stream. It is absent if the reply was passed on as bytes and not decoded, or if the images of a stream were not kept.
 *
 * @category models
 * @since 0.1.0
 */
export type Outcome = Data.TaggedEnum<{
  NotSent: { readonly reason: GradientErrorReason | undefined }
  Completed: {
    readonly images: ReadonlyArray<GeneratedImage>
    readonly usage: Usage | undefined
    readonly response?: ImageGenerateResponse | undefined
  }
  Failed: { readonly reason: GradientErrorReason; readonly images: ReadonlyArray<GeneratedImage> }
  Left: { readonly images: ReadonlyArray<GeneratedImage> }
}>

/**
 * @category models
 * @since 0.1.0
 */
export const Outcome = Data.taggedEnum<Outcome>()

/**
 * Functions that run around each attempt. If `wait`, `begin` or `end` fails with a reason, the attempt fails with that
 * reason. If an `end` fails after the caller has left, its failure is only logged.
 *
 * @category models
 * @since 0.1.0
 */
export interface Entry {
  /** Runs before `begin`. It may take long, for example to wait in a rate limiter, and it can be interrupted. */
  readonly wait?: ((attempt: Attempt) => Effect.Effect<void, GradientErrorReason>) | undefined
  /** Runs directly before the request is sent. */
  readonly begin?: ((attempt: Attempt) => Effect.Effect<void, GradientErrorReason>) | undefined
  /**
   * Runs for each event of a stream, before the caller gets the event. Does not run for `generate`, or if the reply is
   * passed on without being decoded.
   */
  readonly event?: ((attempt: Attempt, event: ImageGenStreamEvent) => Effect.Effect<void>) | undefined
  /**
   * Runs once for each attempt that got past this entry's `wait`, and cannot be interrupted. It runs before the caller
   * gets the response, the last requested image of a stream, or the failure; before the delay of a retry; or after the
   * caller has left. If a stream has fewer images than requested, or if the reply is passed on without being decoded,
   * it runs when the reply ends. If `end` fails after `Completed`, the reason of its failure gets the images of the
   * outcome.
   */
  readonly end?: ((attempt: Attempt, outcome: Outcome) => Effect.Effect<void, GradientErrorReason>) | undefined
  /**
   * Whether `end` needs the images of a stream. The images stay in memory until `end` runs. If no entry needs them, the
   * outcome of a stream has no `response`, and no `images` but those in the reason of a failure. Default: true.
   */
  readonly needsImages?: boolean | undefined
}

/**
 * The entries that run around each attempt, in order from the outermost layer to the innermost. Use `layer` to add an
 * entry. This reference is read when a call runs, so a value that is provided only while a layer is built has no
 * effect.
 *
 * @category references
 * @since 0.1.0
 */
export const Around = Context.Reference<ReadonlyArray<Entry>>("@effect-gradient/core/Attempt/Around", {
  defaultValue: () => []
})
