/**
 * The response of `POST /v1/images/generations`: the images as bytes, the tokens used, the settings, and values from
 * the headers.
 */
import * as Arr from "effect/Array"
import * as Inspectable from "effect/Inspectable"
import * as Schema from "effect/Schema"
import { type EncodedPieces, GeneratedImage, type ImageSource } from "./GeneratedImage.ts"
import { aroundImages, emptyBytes, sourceOf, splitAtImages } from "./internal/imagePieces.ts"
import { headerFields, settingsFields } from "./internal/responseFields.ts"
import { Count, optional, UnixSeconds } from "./internal/schemaFields.ts"

const ImageItem = GeneratedImage.pipe(
  Schema.encodeKeys({ bytes: "b64_json", outputFormat: "output_format", revisedPrompt: "revised_prompt" })
)

/**
 * How many of the tokens are text tokens and how many are image tokens. Wire: `usage.input_tokens_details` and
 * `usage.output_tokens_details`.
 *
 * @category models
 * @since 0.1.0
 */
export const InputTokensDetails = Schema.Struct({
  /** Wire: `text_tokens`. */
  textTokens: optional(Count),
  /** Wire: `image_tokens`. */
  imageTokens: optional(Count)
}).pipe(Schema.encodeKeys({ textTokens: "text_tokens", imageTokens: "image_tokens" }))

/**
 * @category models
 * @since 0.1.0
 */
export type InputTokensDetails = typeof InputTokensDetails.Type

/**
 * The tokens that the request used. A response has no `usage` if the reply has none, or none that can be read. Wire:
 * `usage`.
 *
 * @category models
 * @since 0.1.0
 */
export const Usage = Schema.Struct({
  /** The number of tokens of the prompt. Wire: `input_tokens`. */
  inputTokens: Count,
  /** The number of tokens that were generated. Wire: `output_tokens`. */
  outputTokens: optional(Count),
  /** The number of input tokens and output tokens together. Wire: `total_tokens`. */
  totalTokens: Count,
  /** Wire: `input_tokens_details`. */
  inputTokensDetails: optional(InputTokensDetails),
  /** Wire: `output_tokens_details`. */
  outputTokensDetails: optional(InputTokensDetails)
}).pipe(
  Schema.encodeKeys({
    inputTokens: "input_tokens",
    outputTokens: "output_tokens",
    totalTokens: "total_tokens",
    inputTokensDetails: "input_tokens_details",
    outputTokensDetails: "output_tokens_details"
  })
)

/**
 * @category models
 * @since 0.1.0
 */
export type Usage = typeof Usage.Type

/**
 * The response of `Images.generate`.
 *
 * @category models
 * @since 0.1.0
 */
export class ImageGenerateResponse extends Schema.Class<ImageGenerateResponse>(
  "@effect-gradient/core/ImageGenerateResponse"
)({
  /**
   * When the images were made, or when the reply's headers arrived if the reply has no valid time. Wire: `created`,
   * Unix seconds.
   */
  created: UnixSeconds,
  /** The images, at least one. */
  data: Schema.NonEmptyArray(ImageItem),
  ...settingsFields,
  usage: optional(Usage),
  ...headerFields
}) {
  override toString(): string {
    return Inspectable.toStringUnknown(this)
  }
}

/**
 * The schema with the names of the wire. The encoded images are bytes, not base64, because the parser of replies has
 * already decoded the base64. No bytes are copied.
 */
const withBytes = ImageGenerateResponse.pipe(Schema.encodeKeys({ outputFormat: "output_format" }))

/**
 * A codec between `ImageGenerateResponse` and JSON as in a reply, with images in base64. The JSON also has `requestId`
 * and `rateLimit`, which are headers on the wire. For servers, and to decode JSON that you have saved.
 *
 * @category codecs
 * @since 0.1.0
 */
export const Json = /* @__PURE__ */ Schema.toCodecJson(withBytes)

const encode = /* @__PURE__ */ Schema.encodeSync(/* @__PURE__ */ Schema.fromJsonString(Json))

/** A copy of the response in which each image has empty bytes. */
const outlineOf = (response: ImageGenerateResponse) =>
  new ImageGenerateResponse({
    ...response,
    data: Arr.map(response.data, (image) => new GeneratedImage({ ...image, bytes: emptyBytes }))
  })

/**
 * The JSON of the response with images in base64, encoded piece by piece. If `images` is given, each image is read from
 * it, in the order of `data`, and the images in `response` may be empty.
 *
 * @category converting
 * @since 0.1.0
 */
export const toJsonPieces = <E = never>(
  response: ImageGenerateResponse,
  images?: ReadonlyArray<ImageSource<E>>
): EncodedPieces<E> =>
  aroundImages(splitAtImages(encode(outlineOf(response))), images ?? response.data.map(({ bytes }) => sourceOf(bytes)))
