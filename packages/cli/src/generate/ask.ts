/**
 * Asks for pictures and shows them: once for everything, or each as it comes.
 */
import {
  type GeneratedImage,
  type GradientClient,
  type GradientError,
  type ImageGenStreamEvent,
  type ImageGenerateParams,
  type ImageGenerateResponse,
  Images
} from "@effect-gradient/core"
import * as Console from "effect/Console"
import * as Effect from "effect/Effect"
import * as Stream from "effect/Stream"
import { seconds, size } from "../output/format.ts"
import * as Picture from "../output/picture.ts"
import type { Progress } from "../output/progress.ts"

/** What both ways come to. */
export interface Generated extends Pick<ImageGenerateResponse.ImageGenerateResponse, "usage" | "requestId"> {
  readonly images: ReadonlyArray<GeneratedImage.GeneratedImage | ImageGenStreamEvent.Completed>
}

/** What has arrived so far, and is to be kept if nothing more does. */
export class Arrived {
  readonly finished: Array<GeneratedImage.ImageBytes> = []
  /** The last picture on the way to one that is not finished. */
  partial: ImageGenStreamEvent.PartialImage | undefined

  get images(): ReadonlyArray<GeneratedImage.ImageBytes> {
    return this.partial === undefined ? this.finished : [...this.finished, this.partial]
  }

  /** With those that a failure carries, which can be the last of these. */
  finishedAnd(carried: ReadonlyArray<GeneratedImage.ImageBytes>) {
    const isCarried = (bytes: Uint8Array) => carried.some((image) => image.bytes === bytes)
    return [...this.finished.filter(({ bytes }) => !isCarried(bytes)), ...carried]
  }
}

/** Streams if partial images are asked for. `model` is the one of params that name none. */
export const ask = (
  { partialImages, ...params }: ImageGenerateParams.ImageGenerateParamsStreaming,
  options: GradientClient.RequestOptions,
  progress: Progress,
  arrived: Arrived,
  model: string
): Effect.Effect<Generated, GradientError.GradientError, Images.Images> =>
  partialImages === undefined
    ? whole(params, options, progress, arrived, model)
    : streamed({ ...params, partialImages }, options, progress, arrived)

const whole = Effect.fnUntraced(function* (
  params: ImageGenerateParams.ImageGenerateParams,
  options: GradientClient.RequestOptions,
  progress: Progress,
  arrived: Arrived,
  model: string
) {
  yield* progress.waitFor(params.model ?? model)
  const { data, requestId, usage } = yield* Images.generate(params, options)
  arrived.finished.push(...data)
  yield* progress.stop
  for (const image of data) yield* Picture.show(image)
  const generated: Generated = { images: data, requestId, usage }
  return generated
})

const streamed = Effect.fnUntraced(function* (
  params: ImageGenerateParams.ImageGenerateParamsStreaming,
  options: GradientClient.RequestOptions,
  progress: Progress,
  arrived: Arrived
) {
  const partials = params.partialImages ?? 0
  const waitForPartial = (index: number) =>
    progress.waitFor(index < partials ? `picture ${index + 1} of ${partials}` : "the finished picture")

  const announce = Effect.fnUntraced(function* (event: ImageGenStreamEvent.ImageGenStreamEvent) {
    const isPartial = event._tag === "PartialImage"
    arrived.partial = isPartial ? event : undefined
    if (!isPartial) arrived.finished.push(event)
    yield* progress.stop
    yield* Picture.show(event)
    const which = isPartial ? `Picture ${event.partialImageIndex + 1} of ${partials}` : "The finished picture"
    yield* Console.error(`${which}: ${seconds(progress.elapsed())}, ${size(event.bytes)}`)
    if (isPartial) yield* waitForPartial(event.partialImageIndex + 1)
  })

  yield* waitForPartial(0)
  const images = yield* Images.generateStream(params, options).pipe(
    Stream.tap(announce),
    Stream.filter((event) => event._tag === "Completed"),
    Stream.runCollect
  )
  const { requestId, usage } = images.at(-1) ?? {}
  const generated: Generated = { images, requestId, usage }
  return generated
})
