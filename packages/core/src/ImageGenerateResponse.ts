/**
 * The response of `POST /v1/images/generations`: images as bytes, usage, settings, and values from the headers.
 */
import * as Inspectable from "effect/Inspectable"
import * as Schema from "effect/Schema"
import { GeneratedImage } from "./GeneratedImage.ts"
import { headerFields, settingsFields } from "./internal/responseFields.ts"
import { Count, optional, UnixSeconds } from "./internal/schemaFields.ts"

const ImageItem = GeneratedImage.pipe(
  Schema.encodeKeys({ bytes: "b64_json", outputFormat: "output_format", revisedPrompt: "revised_prompt" })
)

/**
 * Text tokens and image tokens. Wire: `usage.input_tokens_details`.
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
 * The tokens that were used. Absent if the reply has no usage, or if it cannot be read. Wire: `usage`.
 *
 * @category models
 * @since 0.1.0
 */
export const Usage = Schema.Struct({
  /** Tokens of the prompt. Wire: `input_tokens`. */
  inputTokens: Count,
  /** Tokens of the images. Wire: `output_tokens`. */
  outputTokens: optional(Count),
  /** Input and output tokens together. Wire: `total_tokens`. */
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
  /** When the images were made; if the reply lacks it, when the reply arrived. Wire: `created`, Unix seconds. */
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

/** The encoded side has bytes in place of base64, because the reply's parser decodes base64. No bytes are copied. */
const withBytes = ImageGenerateResponse.pipe(Schema.encodeKeys({ outputFormat: "output_format" }))

/**
 * A codec between `ImageGenerateResponse` and the reply's JSON with base64. For servers, and for JSON that you have.
 *
 * @category codecs
 * @since 0.1.0
 */
export const Json = /* @__PURE__ */ Schema.toCodecJson(withBytes)
