/**
 * The events of `Images.generateStream`. For each image: `PartialImage`s, if the service sends them, then a `Completed`
 * with the final image.
 */
import * as Effect from "effect/Effect"
import * as Inspectable from "effect/Inspectable"
import * as Schema from "effect/Schema"
import { type EncodedPieces, ImageBytes, type ImageSource } from "./GeneratedImage.ts"
import { Usage } from "./ImageGenerateResponse.ts"
import { toBase64 } from "./internal/base64.ts"
import { aroundImages, type SharedPieces, sourceOf, splitAtImages } from "./internal/imagePieces.ts"
import { headerFields, settingsFields } from "./internal/responseFields.ts"
import { optional, UnixSeconds } from "./internal/schemaFields.ts"
import { eventNames } from "./internal/wire.ts"

const eventFields = {
  /**
   * When the service created the event. If the event was made from a response: its `created`. Wire: `created_at`, Unix
   * seconds.
   */
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
  /**
   * The number of this partial image within its image, from 0. If the service sends no valid number: the number of the
   * previous partial image of the same image plus 1, or 0. Wire: `partial_image_index`.
   */
  partialImageIndex: Schema.Int.check(Schema.isGreaterThanOrEqualTo(0)),
  /** How many partial images of each image the call asked for. */
  partialImages: optional(Schema.Int),
  ...eventFields
}) {
  override toString(): string {
    return Inspectable.toStringUnknown(this)
  }
}

/**
 * The final image. A successful stream has one `Completed` for each image that was generated, and ends with one. Wire:
 * `image_generation.completed`.
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

/**
 * The schemas with the names of the wire. The encoded image is bytes, not base64, because the parser of replies has
 * already decoded the base64. No bytes are copied.
 */
const withBytes = Schema.Union([
  PartialImage.pipe(Schema.encodeKeys({ ...eventKeys, partialImageIndex: "partial_image_index" })),
  Completed.pipe(Schema.encodeKeys({ ...eventKeys, revisedPrompt: "revised_prompt" }))
])

/**
 * A codec between an event and its JSON, with the image in base64. For servers. The JSON of a `Completed` also has
 * `requestId` and `rateLimit`, which are headers on the wire, and that of a `PartialImage` has `partialImages`, which
 * the wire does not have.
 *
 * @category codecs
 * @since 0.1.0
 */
export const Json = /* @__PURE__ */ Schema.toCodecJson(withBytes)

const encode = /* @__PURE__ */ Schema.encodeSync(withBytes)

/**
 * The event as text of a `text/event-stream`. For servers. `requestId` and `rateLimit` are left out, because they are
 * headers on the wire, and `partialImages`, which the wire does not have.
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

const sharedPieces = /* @__PURE__ */ new WeakMap<ImageGenStreamEvent, SharedPieces>()

/**
 * The bytes of the text that `toServerSentEvent` returns, encoded piece by piece. If `image` is given, the image is
 * read from it, and `event.bytes` may be empty. Otherwise the image is `event.bytes`, and readers of the same event can
 * share its pieces in memory.
 *
 * @category converting
 * @since 0.1.0
 */
export const toServerSentEventPieces = <E = never>(
  event: ImageGenStreamEvent,
  image?: ImageSource<E>
): EncodedPieces<E> => {
  const texts = textAround(event)
  if (image !== undefined) return aroundImages(texts, [image])
  const shared = sharedPieces.get(event) ?? []
  sharedPieces.set(event, shared)
  return aroundImages(texts, [sourceOf(event.bytes)], shared)
}

/**
 * The text of an event before its image and after it. The image is left out of the JSON, because `JSON.stringify` would
 * look at each character of its base64.
 */
const textAround = (event: ImageGenStreamEvent): readonly [head: string, tail: string] => {
  const own = { partialImages: undefined, requestId: undefined, rateLimit: undefined }
  const data = { ...encode(event), b64_json: "", ...own }
  const [head = "", tail = ""] = splitAtImages(JSON.stringify(data))
  return [`event: ${data.type}\ndata: ${head}`, `${tail}\n\n`]
}
