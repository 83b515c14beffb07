/**
 * Replaces the emulator's image encoder, which needs Node: encodes images on a canvas.
 */
import type { RawImage } from "../../packages/emulator/src/internal/painting/Painting.ts"
import type { EncodeOptions, Flat } from "../../packages/emulator/src/internal/painting/Encoding.ts"
import { Data, Effect } from "effect"

export class EncodingError extends Data.TaggedError("EncodingError")<{ readonly cause: unknown }> {
  override get message() {
    return "The browser could not encode the image"
  }
}

const toBytes = async (image: ImageData, { compression = 100, format }: EncodeOptions) => {
  const canvas = new OffscreenCanvas(image.width, image.height)
  canvas.getContext("2d")?.putImageData(image, 0, 0)
  const blob = await canvas.convertToBlob({ type: `image/${format}`, quality: compression / 100 })
  return new Uint8Array(await blob.arrayBuffer())
}

export const encode = ({ height, pixels, width }: RawImage, options: EncodeOptions) =>
  Effect.tryPromise({
    try: () => toBytes(new ImageData(Uint8ClampedArray.from(pixels), width, height), options),
    catch: (cause) => new EncodingError({ cause })
  })

export const encodeFlat = ({ alpha, bits, height, width }: Flat, options: EncodeOptions) => {
  const image = new ImageData(width, height)
  new Uint32Array(image.data.buffer).fill(
    (Math.round(alpha * 255) << 24) | ((bits & 255) << 16) | (bits & 0xff00) | (bits >> 16)
  )
  return toBytes(image, options)
}
