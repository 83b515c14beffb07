/**
 * What arrives on the way when an image is streamed: `PartialImage`s, each sharper than the last, then `Completed`.
 */
import * as Effect from "effect/Effect"
import * as Inspectable from "effect/Inspectable"
import * as Schema from "effect/Schema"
import { ImageBytes } from "./GeneratedImage.ts"
import { headerFields, settingsFields, Usage } from "./ImageGenerateResponse.ts"
import { toBase64 } from "./internal/base64.ts"
import { optional, UnixSeconds } from "./internal/schemaFields.ts"

const eventFields = {
  /** When the event was made. Wire: `created_at`, Unix seconds. */
  createdAt: optional(UnixSeconds),
  ...settingsFields
}

const eventKeys = { _tag: "type", bytes: "b64_json", createdAt: "created_at", outputFormat: "output_format" } as const

/**
 * A picture on the way to the final one. Wire: `image_generation.partial_image`.
 *
 * @category models
 */
export class PartialImage extends ImageBytes.extend<PartialImage>("@effect-gradient/core/PartialImage")({
  _tag: Schema.Literal("image_generation.partial_image")
    .transform("PartialImage")
    .pipe(Schema.withConstructorDefault(Effect.succeed("PartialImage" as const))),
  /** Which partial image this is, from 0. Wire: `partial_image_index`; if it is absent, the last index plus 1. */
  partialImageIndex: Schema.Int.check(Schema.isGreaterThanOrEqualTo(0)),
  /** How many partial images were asked for. */
  partialImages: optional(Schema.Int),
  ...eventFields
}) {
  override toString(): string {
    return Inspectable.toStringUnknown(this)
  }
}

/**
 * The final picture. A stream that ends well ends with it. Wire: `image_generation.completed`.
 *
 * @category models
 */
export class Completed extends ImageBytes.extend<Completed>("@effect-gradient/core/Completed")({
  _tag: Schema.Literal("image_generation.completed")
    .transform("Completed")
    .pipe(Schema.withConstructorDefault(Effect.succeed("Completed" as const))),
  /** The prompt that was used in the end. Wire: `revised_prompt`. */
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
 */
export type ImageGenStreamEvent = PartialImage | Completed

/**
 * The codec whose encoded side is the event's data with bytes where the wire has base64. Decoding keeps the same
 * buffer.
 *
 * @category codecs
 */
export const Lifted = Schema.Union([
  PartialImage.pipe(Schema.encodeKeys({ ...eventKeys, partialImageIndex: "partial_image_index" })),
  Completed.pipe(Schema.encodeKeys({ ...eventKeys, revisedPrompt: "revised_prompt" }))
])

/**
 * The codec whose encoded side is the event's data as JSON, base64 included: for servers.
 *
 * @category codecs
 */
export const Json = /* @__PURE__ */ Schema.toCodecJson(Lifted)

const encodeLifted = /* @__PURE__ */ Schema.encodeSync(Lifted)

/**
 * The event as text of a `text/event-stream`, for servers: the same bytes as the service sends. What came from the
 * reply's headers (`requestId`, `rateLimit`) is left out.
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
 */
export const toServerSentEvent = (event: ImageGenStreamEvent): string => {
  const fromHeaders = { requestId: undefined, rateLimit: undefined }
  const data = { ...encodeLifted(event), b64_json: toBase64(event.bytes), ...fromHeaders }
  return `event: ${data.type}\ndata: ${JSON.stringify(data)}\n\n`
}
