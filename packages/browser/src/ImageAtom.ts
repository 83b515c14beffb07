/**
 * A stream as an Atom, for applications with a UI framework.
 */
import { type GradientError, type ImageGenerateParams, Images, type ImageGenStreamEvent } from "@effect-gradient/core"
import type * as Cause from "effect/Cause"
import type * as Layer from "effect/Layer"
import * as Atom from "effect/reactivity/Atom"

/**
 * Write params to it to begin, `Atom.Interrupt` to cancel, `Atom.Reset` to go back to idle. Its value is an
 * `AsyncResult`: initial; then success, waiting, with each `PartialImage`; then success with `Completed`, or failure,
 * whose previous success is the last picture.
 *
 * @category constructors
 */
export const make = <E>(
  layer: Layer.Layer<Images.Images, E>
): Atom.AtomResultFn<
  ImageGenerateParams.ImageGenerateParamsStreaming,
  ImageGenStreamEvent.ImageGenStreamEvent,
  E | GradientError.GradientError | Cause.NoSuchElementError
> => Atom.runtime(layer).fn((params: ImageGenerateParams.ImageGenerateParamsStreaming) => Images.generateStream(params))
