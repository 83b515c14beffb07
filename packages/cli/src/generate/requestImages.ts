/** Requests images and shows them: all at once, or, if they are streamed, each as it arrives. */
import {
  Attempt,
  type GeneratedImage,
  type GradientClient,
  type GradientError,
  type ImageGenStreamEvent,
  type ImageGenerateParams,
  type ImageGenerateResponse,
  Images
} from "@effect-gradient/core"
import * as Effect from "effect/Effect"
import * as Stream from "effect/Stream"
import { seconds, size } from "../output/format.ts"
import type { Gallery } from "../output/imagePreview.ts"
import type { Progress } from "../output/progress.ts"

/** The result of a successful call, whether it was streamed or not. */
export interface Generated extends Pick<ImageGenerateResponse.ImageGenerateResponse, "usage" | "requestId"> {
  readonly images: ReadonlyArray<GeneratedImage.GeneratedImage | ImageGenStreamEvent.Completed>
}

/** The images that have arrived so far. They are kept if the call fails or is cancelled. */
export class Arrived {
  readonly finished: Array<GeneratedImage.ImageBytes> = []
  /** The latest partial image, until the next finished image arrives. */
  partial: ImageGenStreamEvent.PartialImage | undefined
  /** Whether any attempt so far may have been charged for. */
  mayHaveBeenCharged = false
  /** Whether an emulator replies instead of the service. */
  isEmulated: () => boolean = () => false
  /** The paths of the images that were kept after the call failed. */
  kept: ReadonlyArray<string> = []

  /** The finished images, then the latest partial one, unless a finished image has arrived after it. */
  get images(): ReadonlyArray<GeneratedImage.ImageBytes> {
    return this.partial === undefined ? this.finished : [...this.finished, this.partial]
  }

  /** Returns the finished images and the images that an error carries. An image that is among both is returned once. */
  finishedAnd(carried: ReadonlyArray<GeneratedImage.ImageBytes>) {
    const isCarried = (bytes: Uint8Array) => carried.some((image) => image.bytes === bytes)
    return [...this.finished.filter(({ bytes }) => !isCarried(bytes)), ...carried]
  }
}

/** The two parts of the terminal output of a call: its progress and its images. */
export interface Display {
  readonly progress: Progress
  readonly gallery: Gallery
}

const whyRetrying = ({ _tag, status }: GradientError.GradientErrorReason): string => {
  if (_tag === "RateLimitError" || status === 503) return "The service is busy"
  if (_tag === "ConnectionError") return "The service cannot be reached"
  if (_tag === "RequestTimeoutError") return "The service took too long"
  if (_tag === "DisconnectedError") return "The connection broke"
  return "The service failed"
}

/**
 * Requests the images, as a stream if `partialImages` is set. While the command waits for a reply that is not a stream,
 * the progress shows the model of the params, else `model`.
 */
export const ask = (
  { partialImages, ...params }: ImageGenerateParams.ImageGenerateParamsStreaming,
  options: GradientClient.RequestOptions,
  { gallery, progress }: Display,
  arrived: Arrived,
  model: string
): Effect.Effect<Generated, GradientError.GradientError, Images.Images> => {
  const first = partialImages === undefined ? (params.model ?? model) : imageName(0, partialImages)
  // The progress is shown only when an attempt begins, so it does not appear if the params are invalid.
  const entry: Attempt.Entry = {
    begin: () => progress.waitFor(first),
    end: (_attempt, outcome) =>
      Effect.sync(() => {
        const isUncharged =
          outcome._tag === "NotSent" || (outcome._tag === "Failed" && !outcome.reason.mayHaveBeenCharged)
        if (!isUncharged) arrived.mayHaveBeenCharged = true
      })
  }
  const withProgress: GradientClient.RequestOptions = {
    ...options,
    onRetry: ({ attempt, delay, reason }) => progress.waitToRetry(whyRetrying(reason), delay, attempt + 1)
  }
  const asking =
    partialImages === undefined
      ? whole(params, withProgress, { gallery, progress }, arrived)
      : streamed({ ...params, partialImages }, withProgress, { gallery, progress }, arrived)
  return Effect.provide(asking, Attempt.layer(entry))
}

const imageName = (index: number, partials: number) =>
  index < partials ? `image ${index + 1} of ${partials}` : "the finished image"

const whole = Effect.fnUntraced(function* (
  params: ImageGenerateParams.ImageGenerateParams,
  options: GradientClient.RequestOptions,
  { gallery, progress }: Display,
  arrived: Arrived
) {
  const { data, requestId, usage } = yield* Images.generate(params, options)
  arrived.finished.push(...data)
  yield* progress.stop
  for (const image of data) yield* gallery.show(image)
  const generated: Generated = { images: data, requestId, usage }
  return generated
})

const streamed = Effect.fnUntraced(function* (
  params: ImageGenerateParams.ImageGenerateParamsStreaming,
  options: GradientClient.RequestOptions,
  { gallery, progress }: Display,
  arrived: Arrived
) {
  const partials = params.partialImages ?? 0

  const announce = Effect.fnUntraced(function* (event: ImageGenStreamEvent.ImageGenStreamEvent) {
    const isPartial = event._tag === "PartialImage"
    arrived.partial = isPartial ? event : undefined
    if (!isPartial) arrived.finished.push(event)
    yield* progress.stop
    const which = isPartial ? `Image ${event.partialImageIndex + 1} of ${partials}` : "The finished image"
    yield* gallery.show(event, `${which}: ${seconds(progress.elapsed())}, ${size(event.bytes)}`, isPartial)
    if (isPartial) yield* progress.waitFor(imageName(event.partialImageIndex + 1, partials))
  })

  const images = yield* Images.generateStream(params, options).pipe(
    Stream.tap(announce),
    Stream.filter((event) => event._tag === "Completed"),
    Stream.runCollect
  )
  const { requestId, usage } = images.at(-1) ?? {}
  const generated: Generated = { images, requestId, usage }
  return generated
})
