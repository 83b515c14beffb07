/**
 * Encodes images with libvips, off the event loop. The EXIF data of PNG, WebP and JPEG files says that the images are
 * emulated.
 */
import { Data, Effect } from "effect"
import sharp, { type Sharp } from "sharp"
import type { RawImage } from "./Painting.ts"

export type Format = "png" | "webp" | "jpeg" | "gif"

/** An image could not be encoded. `cause` is the error of the library `sharp`. */
export class EncodingError extends Data.TaggedError("EncodingError")<{
  readonly format: Format
  readonly cause: unknown
}> {
  override get message() {
    return `The image could not be encoded as ${this.format}`
  }
}

export interface EncodeOptions {
  readonly format: Format
  /**
   * The quality of WebP and JPEG, 0 to 100, like `output_compression` on the wire; 0 counts as 1. PNG and GIF ignore
   * it. Default: 100.
   */
  readonly compression?: number
}

const exif = { IFD0: { ImageDescription: "emulated", Software: "effect-gradient emulator" } }

/** Encodes an image. JPEG has no transparency, so transparent pixels become white. */
export const encode = (image: RawImage, options: EncodeOptions): Effect.Effect<Uint8Array, EncodingError> => {
  const { height, pixels, width } = image
  return Effect.tryPromise({
    try: () => finish(sharp(pixels, { raw: { width, height, channels: 4 } }), options),
    catch: (cause) => new EncodingError({ format: options.format, cause })
  })
}

/** An image of one colour. */
export interface Flat {
  readonly width: number
  readonly height: number
  /** The colour: red, green and blue in the lowest 24 bits. */
  readonly bits: number
  /** 0 is transparent, 1 is opaque. */
  readonly alpha: number
}

/** Encodes an image of one colour. This is fast, because its pixels exist only within libvips. */
export const encodeFlat = ({ alpha, bits, height, width }: Flat, options: EncodeOptions): Promise<Uint8Array> => {
  const background = { r: (bits >> 16) & 255, g: (bits >> 8) & 255, b: bits & 255, alpha }
  return finish(sharp({ create: { width, height, channels: 4, background } }), options)
}

const finish = (image: Sharp, { compression = 100, format }: EncodeOptions): Promise<Uint8Array> => {
  const marked = image.withExif(exif)
  switch (format) {
    case "png":
      return marked.png({ compressionLevel: 6 }).toBuffer()
    case "webp":
      return marked.webp({ quality: Math.max(1, compression), effort: 2 }).toBuffer()
    case "jpeg":
      return marked
        .flatten({ background: "white" })
        .jpeg({ quality: Math.max(1, compression) })
        .toBuffer()
    case "gif":
      return image.gif({ effort: 1 }).toBuffer()
  }
}
