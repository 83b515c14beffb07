/** From pixels to files: PNG, WebP and JPEG by libvips, off the event loop, marked as emulated in their EXIF data. */
import { Data, Effect } from "effect"
import sharp, { type Sharp } from "sharp"
import type { Picture } from "./Painting.ts"

export type Format = "png" | "webp" | "jpeg"

/** libvips refused a picture; `cause` is what it said. */
export class EncodingError extends Data.TaggedError("EncodingError")<{
  readonly format: Format
  readonly cause: unknown
}> {
  override get message() {
    return `The picture could not be encoded as ${this.format}`
  }
}

export interface EncodeOptions {
  readonly format: Format
  /** WebP's and JPEG's quality, 0 to 100 as `output_compression` on the wire; PNG ignores it. Default: 100. */
  readonly compression?: number
}

const exif = { IFD0: { ImageDescription: "emulated", Software: "effect-gradient emulator" } }

/** JPEG has no transparency: there, nothing becomes white. */
export const encode = (picture: Picture, options: EncodeOptions): Effect.Effect<Uint8Array, EncodingError> =>
  Effect.tryPromise({
    try: () => encoder(picture, options).withExif(exif).toBuffer(),
    catch: (cause) => new EncodingError({ format: options.format, cause })
  })

const encoder = ({ height, pixels, width }: Picture, { compression = 100, format }: EncodeOptions): Sharp => {
  const image = sharp(pixels, { raw: { width, height, channels: 4 } })
  switch (format) {
    case "png":
      return image.png({ compressionLevel: 6 })
    case "webp":
      return image.webp({ quality: Math.max(1, compression), effort: 2 })
    case "jpeg":
      return image.flatten({ background: "white" }).jpeg({ quality: Math.max(1, compression) })
  }
}
