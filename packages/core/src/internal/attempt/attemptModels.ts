/**
 * The models of `Attempt`. They have a file of their own because `Images` imports them and `Attempt` imports `Images`.
 */
import * as Context from "effect/Context"
import * as Data from "effect/Data"
import type * as Effect from "effect/Effect"
import type { GeneratedImage } from "../../GeneratedImage.ts"
import type { GradientErrorReason } from "../../GradientError.ts"
import type { ImageGenerateParamsStreaming, Kind } from "../../ImageGenerateParams.ts"
import type { ImageGenerateResponse, Usage } from "../../ImageGenerateResponse.ts"

/**
 * The params and options of a call that its attempts can see.
 *
 * @category models
 * @since 0.1.0
 */
export interface Call {
  /** The function of the call: `generate`, or `stream` for `generateStream`. */
  readonly kind: Kind
  /** The params with their defaults. */
  readonly params: ImageGenerateParamsStreaming & { readonly model: string; readonly n: number }
  /** The option `idempotencyKey` of the call. */
  readonly idempotencyKey?: string | undefined
  /** The option `labels` of the call. */
  readonly labels: Readonly<Record<string, string>>
}

/**
 * One request that can be charged.
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
 * - `NotSent`: nothing was sent, which is proven. A `wait` or a `begin` failed or was interrupted, or no connection was
 *   made. After an interruption, `reason` is undefined.
 * - `Completed`: all images arrived.
 * - `Failed`: the request failed. `reason.mayHaveBeenCharged` shows whether it may have been charged for.
 * - `Left`: the caller was interrupted, or stopped reading the stream before its last `Completed`. The images may have
 *   been charged for.
 *
 * `images` has all images that were decoded. If a stream ended before `Completed`, it includes the last partial image.
 * `response` is the whole response, of a stream too. It is absent if the bytes were passed on without being decoded.
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
 * Functions that run around each attempt. If one fails, the attempt fails with its reason.
 *
 * @category models
 * @since 0.1.0
 */
export interface Entry {
  /** Runs before `begin` and may take long, for example in a rate limiter. It can be interrupted. */
  readonly wait?: ((attempt: Attempt) => Effect.Effect<void, GradientErrorReason>) | undefined
  /** Runs directly before the request is sent. */
  readonly begin?: ((attempt: Attempt) => Effect.Effect<void, GradientErrorReason>) | undefined
  /**
   * Runs once and cannot be interrupted. It runs before the caller gets the last image, or before the wait for a retry.
   * If it fails after `Completed`, its reason gets the images, so that the caller does not lose them.
   */
  readonly end?: ((attempt: Attempt, outcome: Outcome) => Effect.Effect<void, GradientErrorReason>) | undefined
}

/**
 * The entries that run around each attempt, the outermost layer's first. Use `layer` to add one: this reference is read
 * when a call runs, so a value that is provided only while a layer is built has no effect.
 *
 * @category references
 * @since 0.1.0
 */
export const Around = Context.Reference<ReadonlyArray<Entry>>("@effect-gradient/core/Attempt/Around", {
  defaultValue: () => []
})
