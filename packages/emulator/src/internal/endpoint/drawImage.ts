/** Draws the images of a request, painted or plain, and encodes them. */
import * as Effect from "effect/Effect"
import { encode, encodeFlat, EncodingError } from "../painting/Encoding.ts"
import { paint, type PaintOptions } from "../painting/Painting.ts"
import { hashBits } from "../painting/Random.ts"
import type { GenerationRequest } from "./GenerationRequest.ts"

/** Draws the image with this `index` of a request: the final image, or a partial image if `stage` says so. */
export type Draw = (
  request: GenerationRequest,
  index: number,
  stage?: PaintOptions["stage"]
) => Effect.Effect<Uint8Array, EncodingError>

/** Paints images from the prompt. The images of one request have different seeds. */
const painted =
  (seed: number): Draw =>
  (request, index, stage) =>
    paint({
      prompt: request.prompt,
      seed: seed + index,
      width: request.width,
      height: request.height,
      background: request.background,
      quality: request.quality,
      ...(stage === undefined ? {} : { stage })
    }).pipe(
      Effect.flatMap((image) => encode(image, { format: request.format, compression: request.compression })),
      Effect.withSpan("Emulator.draw", { attributes: { index, ...stage } })
    )

/** The maximum number of encoded images in the cache, which is emptied when it is full. */
const cacheSize = 256

/**
 * Makes images of one colour. The colour depends on the seed, the index and the stage. An image that is in the cache is
 * not encoded again, even if its encoding is still under way.
 */
const plain = (seed: number): Draw => {
  const cache = new Map<string, Promise<Uint8Array>>()
  return ({ background, compression, format, height, width }, index, stage = { index: 1, of: 1 }) => {
    const flat = {
      width,
      height,
      bits: hashBits(stage.index, stage.of, seed + index),
      alpha: Number(background === "opaque")
    }
    const key = [...Object.values(flat), format, compression].join()
    return Effect.tryPromise({
      try: () => {
        const bytes = cache.get(key) ?? encodeFlat(flat, { format, compression })
        if (cache.size >= cacheSize) cache.clear()
        cache.set(key, bytes)
        return bytes
      },
      catch: (cause) => new EncodingError({ format, cause })
    })
  }
}

export const makeDraw = (images: "painted" | "plain", seed: number): Draw =>
  images === "plain" ? plain(seed) : painted(seed)

/** Returns the settings of a request that its JSON reply, or each event with an image, repeats. */
export const settingsOf = ({ background, format, height, quality, width }: GenerationRequest) => ({
  background,
  outputFormat: format,
  quality,
  size: `${width}x${height}`
})
