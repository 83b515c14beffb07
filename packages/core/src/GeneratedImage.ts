/**
 * One image: its encoded bytes, its format, and conversions to a Blob or a data URL.
 */
import * as Inspectable from "effect/Inspectable"
import * as Schema from "effect/Schema"
import { toBase64 } from "./internal/base64.ts"
import { describeBytes, makeBlob, mediaTypeOf, type PlatformBlob } from "./internal/media.ts"
import { optional, suggest } from "./internal/schemaFields.ts"

/**
 * The encoded bytes of one image and their format. It prints as format and size, because printing the bytes of a 12 MB
 * image would block the process for seconds.
 *
 * @category models
 * @since 0.1.0
 */
export class ImageBytes extends Schema.Class<ImageBytes>("@effect-gradient/core/ImageBytes")({
  /** The encoded image, in the format of `mediaType`. Never empty in a reply. Wire: `b64_json`, in base64. */
  bytes: Schema.Uint8Array,
  /** The format by the reply. An image without one gets that of the whole response. Wire: `output_format`. */
  outputFormat: optional(suggest<"png" | "webp" | "jpeg">())
}) {
  /** The media type by the first bytes, else by `outputFormat`, else `application/octet-stream`. */
  get mediaType(): string {
    return mediaTypeOf(this.bytes, this.outputFormat)
  }

  /** The usual file extension of `mediaType`, without a dot: `png`, `webp`, `jpg`, ...; `bin` if it is unknown. */
  get extension(): string {
    const type = this.mediaType
    if (type === "application/octet-stream") return "bin"
    return type === "image/jpeg" ? "jpg" : type.slice("image/".length)
  }

  /** The image as a `data:` URL, a third longer than the bytes. Each call encodes it again. */
  toDataUrl(): string {
    return `data:${this.mediaType};base64,${toBase64(this.bytes)}`
  }

  /** The image as a `Blob` with its media type. `undefined` on a platform without `Blob`. */
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
 * One image of a response.
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
