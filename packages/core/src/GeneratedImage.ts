/**
 * One image: its encoded bytes, its format, and conversions to a Blob or a data URL.
 */
import type * as Effect from "effect/Effect"
import * as Inspectable from "effect/Inspectable"
import * as Schema from "effect/Schema"
import type * as Stream from "effect/Stream"
import { toBase64 } from "./internal/base64.ts"
import { describeBytes, makeBlob, mediaTypeOf, type PlatformBlob } from "./internal/media.ts"
import { optional, suggest } from "./internal/schemaFields.ts"

/**
 * The encoded bytes of one image and their format. `String`, `JSON.stringify` and Node's `console.log` show the media
 * type and the number of bytes in place of the bytes, because printing 12 MB would block the process for seconds.
 *
 * @category models
 * @since 0.1.0
 */
export class ImageBytes extends Schema.Class<ImageBytes>("@effect-gradient/core/ImageBytes")({
  /**
   * The encoded image, in the format of `mediaType`. An image of a reply is never empty. Wire: `b64_json`, in base64.
   */
  bytes: Schema.Uint8Array,
  /** The format that the reply names for this image, else for the whole response. Wire: `output_format`. */
  outputFormat: optional(suggest<"png" | "webp" | "jpeg">())
}) {
  /**
   * The media type of a PNG, WebP or JPEG image, from the first bytes, else from `outputFormat`. For any other image:
   * `application/octet-stream`.
   */
  get mediaType(): string {
    return mediaTypeOf(this.bytes, this.outputFormat)
  }

  /** The usual file extension of `mediaType`, without a dot: `png`, `webp` or `jpg`; `bin` for any other image. */
  get extension(): string {
    const type = this.mediaType
    if (type === "application/octet-stream") return "bin"
    return type === "image/jpeg" ? "jpg" : type.slice("image/".length)
  }

  /** The image as a `data:` URL, with the bytes in base64. Each call encodes the image again. */
  toDataUrl(): string {
    return `data:${this.mediaType};base64,${toBase64(this.bytes)}`
  }

  /** The image as a `Blob` with its media type, or `undefined` if the platform has no `Blob`. */
  toBlob(): PlatformBlob | undefined {
    return makeBlob(this.bytes, this.mediaType)
  }

  toJSON(): unknown {
    return { ...this, bytes: describeBytes(this.bytes, this.mediaType) }
  }

  override toString(): string {
    return Inspectable.toStringUnknown(this)
  }

  [Inspectable.NodeInspectSymbol](): unknown {
    return this.toJSON()
  }
}

/**
 * One image of a response or of a failure. An image of a failure can be unfinished.
 *
 * @category models
 * @since 0.1.0
 */
export class GeneratedImage extends ImageBytes.extend<GeneratedImage>("@effect-gradient/core/GeneratedImage")({
  /** The prompt as the service rewrote it. Wire: `revised_prompt`. */
  revisedPrompt: optional(Schema.String)
}) {
  override toString(): string {
    return Inspectable.toStringUnknown(this)
  }
}

/**
 * An image whose bytes are read in pieces, for example from a store.
 *
 * @category models
 * @since 0.1.0
 */
export interface ImageSource<E = never> {
  /** The size of the image in bytes. */
  readonly size: number
  /** Reads exactly `length` bytes from `start` on. */
  readonly read: (start: number, length: number) => Effect.Effect<Uint8Array, E>
}

/**
 * A JSON reply, or one event of a stream, with its images in base64. For servers: it is encoded while it is read, in
 * pieces with at most 256 KiB of base64, so that a client that reads slowly takes little memory.
 *
 * @category models
 * @since 0.1.0
 */
export interface EncodedPieces<E = never> {
  /** The number of bytes of all pieces together, for the header `content-length`. */
  readonly length: number
  readonly bytes: Stream.Stream<Uint8Array, E>
}
