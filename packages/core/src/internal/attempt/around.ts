/**
 * What runs around each attempt: the models of `Attempt`, in a file that `Images` can import.
 */
import * as Context from "effect/Context"
import * as Data from "effect/Data"
import type * as Effect from "effect/Effect"
import type { GeneratedImage } from "../../GeneratedImage.ts"
import type { GradientErrorReason } from "../../GradientError.ts"
import type { ImageGenerateParamsStreaming, Kind } from "../../ImageGenerateParams.ts"
import type { ImageGenerateResponse, Usage } from "../../ImageGenerateResponse.ts"

/**
 * A call, as its attempts see it.
 *
 * @category models
 */
export interface Call {
  /** The function that was called: `generate`, or `stream` for `generateStream`. */
  readonly kind: Kind
  /** The params that are sent, defaults included. */
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
 */
export interface Attempt extends Call {
  /** From 1, within its call. */
  readonly number: number
}

/**
 * How an attempt ended.
 *
 * - `NotSent`: proven. A `wait` or a `begin` failed or was interrupted, or no connection was made. `reason` is absent
 *   after an interruption.
 * - `Completed`: all images arrived.
 * - `Failed`: see `reason.mayHaveBeenCharged`.
 * - `Left`: the caller was interrupted, or stopped reading the stream before its last `Completed`. The images may have
 *   been charged.
 *
 * `images` are all images that were decoded. If the last one of a stream is incomplete, its last partial is among them.
 * `response` is what arrived as a whole, of a stream too; absent if the bytes were passed on without being decoded.
 *
 * @category models
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

/** @category models */
export const Outcome = Data.taggedEnum<Outcome>()

/**
 * Functions that run around each attempt. A reason that they fail with becomes the reason of the attempt.
 *
 * @category models
 */
export interface Entry {
  /** Runs before `begin`, and may take long: a limit, a budget. The attempt can be interrupted here. */
  readonly wait?: ((attempt: Attempt) => Effect.Effect<void, GradientErrorReason>) | undefined
  /** Runs directly before the request is sent. */
  readonly begin?: ((attempt: Attempt) => Effect.Effect<void, GradientErrorReason>) | undefined
  /**
   * Runs once, uninterruptibly: before a caller gets the last image, and before the back-off of a failed attempt. After
   * `Completed`, the caller gets the images even if this fails: they are put into the reason's `images`.
   */
  readonly end?: ((attempt: Attempt, outcome: Outcome) => Effect.Effect<void, GradientErrorReason>) | undefined
}

/**
 * The entries that run around each attempt, the outermost layer's first. It takes effect where a call runs, not where a
 * layer is built: use `layer` to add an entry.
 *
 * @category references
 */
export const Around = Context.Reference<ReadonlyArray<Entry>>("@effect-gradient/core/Attempt/Around", {
  defaultValue: () => []
})
