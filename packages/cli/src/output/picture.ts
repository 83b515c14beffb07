/**
 * What can be told and shown of a picture's bytes.
 */
import type { GeneratedImage } from "@effect-gradient/core"
import { TerminalCapabilities } from "effect/cli"
import * as Console from "effect/Console"
import * as Effect from "effect/Effect"
import * as Option from "effect/Option"
import sharp from "sharp"

/** Width and height in pixels, where the format is known. */
export const dimensions = ({ bytes }: GeneratedImage.ImageBytes) =>
  Effect.tryPromise(() => sharp(bytes).metadata()).pipe(
    Effect.map(({ height, width }) => ({ width, height })),
    Effect.option // A format that sharp does not know is a picture all the same.
  )

/** As large as any terminal needs it, and as PNG, which terminal-image reads. */
const preview = (bytes: Uint8Array) =>
  sharp(bytes).resize(1024, 1024, { fit: "inside", withoutEnlargement: true }).png().toBuffer()

const render = async ({ bytes }: GeneratedImage.ImageBytes) => {
  const [{ default: terminalImage }, png] = await Promise.all([import("terminal-image"), preview(bytes)])
  return terminalImage.buffer(png, { height: "80%" })
}

/** Shows the picture where standard output is a terminal with colours, at most as high as leaves room for a few lines. */
export const show = Effect.fnUntraced(function* (image: GeneratedImage.ImageBytes) {
  const { canAnimate, canColor } = yield* TerminalCapabilities.TerminalCapabilities
  if (!canAnimate || !canColor) return
  const rendered = yield* Effect.option(Effect.tryPromise(() => render(image)))
  yield* Option.match(rendered, {
    onNone: () => Console.error(`The terminal cannot show ${image.mediaType}.`),
    onSome: (text) => Console.log(text)
  })
})
