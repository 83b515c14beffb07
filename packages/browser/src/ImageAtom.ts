/**
 * A stream as an Atom, for applications with a UI framework.
 */
import {
  type GradientClient,
  type GradientError,
  type ImageGenerateParams,
  Images,
  type ImageGenStreamEvent
} from "@effect-gradient/core"
import type * as Cause from "effect/Cause"
import type * as Layer from "effect/Layer"
import * as Atom from "effect/reactivity/Atom"

/**
 * Write params to it to begin, `Atom.Interrupt` to cancel, `Atom.Reset` to go back to idle. Its value is an
 * `AsyncResult`. It is initial at first, then a waiting success for each `PartialImage`, then a success with `Completed`.
 * A failure keeps the last picture as its previous success. The options are those of each call: with `onRetry`, a
 * component can show that the service is busy.
 *
 * @category constructors
 */
export const make = <E>(
  layer: Layer.Layer<Images.Images, E>,
  options?: GradientClient.RequestOptions
): Atom.AtomResultFn<
  ImageGenerateParams.ImageGenerateParamsStreaming,
  ImageGenStreamEvent.ImageGenStreamEvent,
  E | GradientError.GradientError | Cause.NoSuchElementError
> =>
  Atom.runtime(layer).fn((params: ImageGenerateParams.ImageGenerateParamsStreaming) =>
    Images.generateStream(params, options)
  )
