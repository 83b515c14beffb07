/**
 * One image: its encoded bytes, its format, and what can be made of it (a Blob, a data URL).
 */
import * as Inspectable from "effect/Inspectable"
import * as Schema from "effect/Schema"
import { toBase64 } from "./internal/base64.ts"
import { describeBytes, makeBlob, mediaTypeOf, type PlatformBlob } from "./internal/media.ts"
import { optional, suggest } from "./internal/schemaFields.ts"

/**
 * Bytes of one image, which know their format. They print as format and size, never as themselves: logging one 12 MB
 * image otherwise stops a process for seconds.
 *
 * @category models
 */
export class ImageBytes extends Schema.Class<ImageBytes>("@effect-gradient/core/ImageBytes")({
  /** The encoded image, in the format of `mediaType`. From a reply it is never empty. Wire: `b64_json`, decoded. */
  bytes: Schema.Uint8Array,
  /** The format that was asked for; the reply's own where the item has none. Wire: `output_format`. */
  outputFormat: optional(suggest<"png" | "webp" | "jpeg">())
}) {
  /** The media type that the bytes show, else the one of `outputFormat`, else `application/octet-stream`. */
  get mediaType(): string {
    return mediaTypeOf(this.bytes, this.outputFormat)
  }

  /** The usual file extension of `mediaType`, without a dot: `png`, `webp`, `jpg`, ...; `bin` when unknown. */
  get extension(): string {
    const type = this.mediaType
    if (type === "application/octet-stream") return "bin"
    return type === "image/jpeg" ? "jpg" : type.slice("image/".length)
  }

  /** The image as a `data:` URL. Made at each call: a third longer than the bytes. */
  toDataUrl(): string {
    return `data:${this.mediaType};base64,${toBase64(this.bytes)}`
  }

  /** The image as a `Blob` with its media type; `undefined` on a platform without `Blob`. */
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
 */
export class GeneratedImage extends ImageBytes.extend<GeneratedImage>("@effect-gradient/core/GeneratedImage")({
  /** The prompt that was used in the end. Wire: `revised_prompt`. */
  revisedPrompt: optional(Schema.String)
}) {
  override toString(): string {
    return Inspectable.toStringUnknown(this)
  }
}
