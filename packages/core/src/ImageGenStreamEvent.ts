/**
 * The events of a stream: `PartialImage`s, each sharper than the one before, then `Completed` with the final image.
 */
import * as Effect from "effect/Effect"
import * as Inspectable from "effect/Inspectable"
import * as Schema from "effect/Schema"
import { ImageBytes } from "./GeneratedImage.ts"
import { Usage } from "./ImageGenerateResponse.ts"
import { toBase64 } from "./internal/base64.ts"
import { headerFields, settingsFields } from "./internal/responseFields.ts"
import { optional, UnixSeconds } from "./internal/schemaFields.ts"
import * as Utf8 from "./internal/utf8.ts"
import { eventNames } from "./internal/wire.ts"

const eventFields = {
  /** When the service created the event. Wire: `created_at`, Unix seconds. */
  createdAt: optional(UnixSeconds),
  ...settingsFields
}

const eventKeys = { _tag: "type", bytes: "b64_json", createdAt: "created_at", outputFormat: "output_format" } as const

/**
 * An unfinished version of the image. Wire: `image_generation.partial_image`.
 *
 * @category models
 * @since 0.1.0
 */
export class PartialImage extends ImageBytes.extend<PartialImage>("@effect-gradient/core/PartialImage")({
  _tag: Schema.Literal(eventNames.partialImage)
    .transform("PartialImage")
    .pipe(Schema.withConstructorDefault(Effect.succeed("PartialImage" as const))),
  /** The number of this partial image, from 0. Wire: `partial_image_index`; if absent, the previous index plus 1. */
  partialImageIndex: Schema.Int.check(Schema.isGreaterThanOrEqualTo(0)),
  /** How many partial images the call asked for. */
  partialImages: optional(Schema.Int),
  ...eventFields
}) {
  override toString(): string {
    return Inspectable.toStringUnknown(this)
  }
}

/**
 * The final image. A successful stream ends with it. Wire: `image_generation.completed`.
 *
 * @category models
 * @since 0.1.0
 */
export class Completed extends ImageBytes.extend<Completed>("@effect-gradient/core/Completed")({
  _tag: Schema.Literal(eventNames.completed)
    .transform("Completed")
    .pipe(Schema.withConstructorDefault(Effect.succeed("Completed" as const))),
  /** The prompt as the service rewrote it. Wire: `revised_prompt`. */
  revisedPrompt: optional(Schema.String),
  usage: optional(Usage),
  ...eventFields,
  ...headerFields
}) {
  override toString(): string {
    return Inspectable.toStringUnknown(this)
  }
}

/**
 * One event of `Images.generateStream`.
 *
 * @category models
 * @since 0.1.0
 */
export type ImageGenStreamEvent = PartialImage | Completed

/** The encoded side has bytes in place of base64, because the reply's parser decodes base64. No bytes are copied. */
const withBytes = Schema.Union([
  PartialImage.pipe(Schema.encodeKeys({ ...eventKeys, partialImageIndex: "partial_image_index" })),
  Completed.pipe(Schema.encodeKeys({ ...eventKeys, revisedPrompt: "revised_prompt" }))
])

/**
 * A codec between an event and its data as JSON with base64. For servers.
 *
 * @category codecs
 * @since 0.1.0
 */
export const Json = /* @__PURE__ */ Schema.toCodecJson(withBytes)

const encode = /* @__PURE__ */ Schema.encodeSync(withBytes)

/**
 * The event as text of a `text/event-stream`, as the service sends it. For servers. The fields that were read from the
 * headers (`requestId`, `rateLimit`) are left out.
 *
 * @example
 * ```ts
 * import { ImageGenStreamEvent } from "@effect-gradient/core"
 *
 * const partial = new ImageGenStreamEvent.PartialImage({ bytes: new Uint8Array([1, 2, 3]), partialImageIndex: 0 })
 *
 * ImageGenStreamEvent.toServerSentEvent(partial)
 * // event: image_generation.partial_image
 * // data: {"b64_json":"AQID","type":"image_generation.partial_image","partial_image_index":0}
 * ```
 *
 * @category converting
 * @since 0.1.0
 */
export const toServerSentEvent = (event: ImageGenStreamEvent): string => {
  const [head, tail] = textAround(event)
  return `${head}${toBase64(event.bytes)}${tail}`
}

/**
 * The bytes of `toServerSentEvent`, in a ninth of the time that encoding its text takes.
 *
 * @category converting
 * @since 0.1.0
 */
export const toServerSentEventBytes = (event: ImageGenStreamEvent): Uint8Array => {
  const [head, tail] = textAround(event)
  return Utf8.aroundBase64(head, event.bytes, tail)
}

const emptyImage = '"b64_json":""'

/** The text before the image and after it. `JSON.stringify` would look at each character of the image. */
const textAround = (event: ImageGenStreamEvent) => {
  const data = { ...encode(event), b64_json: "", requestId: undefined, rateLimit: undefined }
  const json = JSON.stringify(data)
  // No other part of the JSON contains this text, because a quotation mark within a string is escaped.
  const at = json.indexOf(emptyImage) + emptyImage.length - 1
  return [`event: ${data.type}\ndata: ${json.slice(0, at)}`, `${json.slice(at)}\n\n`] as const
}
