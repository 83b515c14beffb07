/**
 * Provides a stream of images as an Atom, for applications with a UI framework.
 */
import {
  type GradientClient,
  type GradientError,
  type ImageGenerateParams,
  Images,
  type ImageGenStreamEvent
} from "@effect-gradient/core"
import type * as Cause from "effect/Cause"
import type * as Effect from "effect/Effect"
import type * as Layer from "effect/Layer"
import * as Atom from "effect/reactivity/Atom"
import * as Stream from "effect/Stream"
import { type Event, OnReconnect } from "./Reconnect.ts"

/**
 * Options of each call that the Atom makes.
 *
 * @category models
 * @since 0.1.0
 */
export interface Options extends GradientClient.RequestOptions {
  /** Runs before each reconnection. The Atom is waiting then, and keeps its last image. See `Reconnect.OnReconnect`. */
  readonly onReconnect?: ((event: Event) => Effect.Effect<void>) | undefined
}

/**
 * Makes an Atom that generates images. Write params to start a stream, `Atom.Interrupt` to cancel it, `Atom.Reset` to
 * return to the initial state.
 *
 * Its value is an `AsyncResult`: at first `Initial`; while images arrive, a waiting `Success` with the newest image;
 * after the end of the stream, a `Success` that is not waiting, with the last `Completed`. A `Failure` keeps the last
 * image as its previous success.
 *
 * `options` apply to each call. With `onRetry`, a component can show that the service is busy. With `onReconnect`, it
 * can show that the connection broke and is being restored.
 *
 * @category constructors
 * @since 0.1.0
 */
export const make = <E>(
  layer: Layer.Layer<Images.Images, E>,
  { onReconnect, ...options }: Options = {}
): Atom.AtomResultFn<
  ImageGenerateParams.ImageGenerateParamsStreaming,
  ImageGenStreamEvent.ImageGenStreamEvent,
  E | GradientError.GradientError | Cause.NoSuchElementError
> =>
  Atom.runtime(layer).fn((params: ImageGenerateParams.ImageGenerateParamsStreaming) =>
    Stream.updateService(Images.generateStream(params, options), OnReconnect, (ambient) => onReconnect ?? ambient)
  )
