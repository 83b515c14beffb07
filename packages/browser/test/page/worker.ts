/**
 * A worker that generates an image, and draws it on a canvas that the page has passed to it.
 */
import { BrowserImages, ImageView } from "@effect-gradient/browser"
import { type ImageGenerateParams, Images } from "@effect-gradient/core"
import { Effect } from "effect"

interface Task {
  readonly canvas: OffscreenCanvas
  readonly params: ImageGenerateParams.ImageGenerateParamsStreaming
}

addEventListener("message", ({ data: { canvas, params } }: MessageEvent<Task>) => {
  Images.generateStream(params).pipe(
    ImageView.run({ target: canvas }),
    Effect.map(({ bytes }) => `${bytes.length} bytes, ${canvas.width}x${canvas.height}`),
    Effect.scoped,
    Effect.provide(BrowserImages.layer({ baseUrl: `${location.origin}/v1` })),
    Effect.catch(({ message }) => Effect.succeed(message)),
    Effect.map((text) => postMessage(text)),
    Effect.runFork
  )
})
