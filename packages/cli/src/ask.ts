/**
 * Asks for pictures and shows them: once for everything, or each as it comes.
 */
import { type GradientClient, ImageGenerateParams, Images } from "@effect-gradient/core"
import type { GradientError, ImageGenerateResponse, ImageGenStreamEvent } from "@effect-gradient/core"
import * as Console from "effect/Console"
import * as Effect from "effect/Effect"
import * as Stream from "effect/Stream"
import { seconds, size } from "./format.ts"
import * as Picture from "./picture.ts"
import type { Progress } from "./progress.ts"

/** What both ways come to. */
export interface Generated extends Pick<ImageGenerateResponse.ImageGenerateResponse, "usage" | "requestId"> {
  readonly images: ReadonlyArray<ImageGenerateResponse.GeneratedImage | ImageGenStreamEvent.Completed>
}

/** Streams where partial images are asked for. */
export const ask = (
  params: ImageGenerateParams.ImageGenerateParams,
  options: GradientClient.RequestOptions,
  progress: Progress
): Effect.Effect<Generated, GradientError.GradientError, Images.Images> =>
  params.partialImages === undefined ? whole(params, options, progress) : streamed(params, options, progress)

const whole = Effect.fnUntraced(function* (
  params: ImageGenerateParams.ImageGenerateParams,
  options: GradientClient.RequestOptions,
  progress: Progress
) {
  yield* progress.waitFor(params.model ?? ImageGenerateParams.defaultModel)
  const { data, requestId, usage } = yield* Images.generate(params, options)
  yield* progress.stop
  for (const image of data) yield* Picture.show(image)
  const generated: Generated = { images: data, requestId, usage }
  return generated
})

const streamed = Effect.fnUntraced(function* (
  params: ImageGenerateParams.ImageGenerateParams,
  options: GradientClient.RequestOptions,
  progress: Progress
) {
  const partials = params.partialImages ?? 0
  const waitForPartial = (index: number) =>
    progress.waitFor(index < partials ? `picture ${index + 1} of ${partials}` : "the finished picture")

  const announce = Effect.fnUntraced(function* (event: ImageGenStreamEvent.ImageGenStreamEvent) {
    yield* progress.stop
    yield* Picture.show(event)
    const isPartial = event._tag === "PartialImage"
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
