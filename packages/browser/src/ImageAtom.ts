/**
 * A stream of images as an Atom, for applications with a UI framework.
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
 * Makes an Atom. Write params to start a stream, `Atom.Interrupt` to cancel it, `Atom.Reset` to return to the initial state.
 *
 * Its value is an `AsyncResult`. It is `Initial` at first. Each `PartialImage` is a waiting `Success`. `Completed` is a
 * `Success` that is not waiting. A `Failure` has the last image as its previous success.
 *
 * `options` are the options of each call: with `onRetry`, a component can show that the service is busy.
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
