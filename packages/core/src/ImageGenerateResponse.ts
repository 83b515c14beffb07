/**
 * What comes back from `POST /v1/images/generations`: images as bytes, what was used, and what the headers said.
 *
 * The fields are declared once. Two codecs stand on them: `Lifted`, whose encoded side holds the bytes of an image
 * where the wire holds base64 (the decoder put them there), and `Json`, whose encoded side is the wire itself.
 */
import * as Inspectable from "effect/Inspectable"
import * as Schema from "effect/Schema"
import { GeneratedImage } from "./GeneratedImage.ts"
import { Count, optional, suggest, UnixSeconds } from "./internal/schemaFields.ts"
import { RateLimit } from "./RateLimit.ts"

const ImageItem = GeneratedImage.pipe(
  Schema.encodeKeys({ bytes: "b64_json", outputFormat: "output_format", revisedPrompt: "revised_prompt" })
)

/**
 * What the prompt's tokens were. Wire: `usage.input_tokens_details`.
 *
 * @category models
 */
export const InputTokensDetails = Schema.Struct({
  /** Wire: `text_tokens`. */
  textTokens: optional(Count),
  /** Wire: `image_tokens`. */
  imageTokens: optional(Count)
}).pipe(Schema.encodeKeys({ textTokens: "text_tokens", imageTokens: "image_tokens" }))

/** @category models */
export type InputTokensDetails = typeof InputTokensDetails.Type

/**
 * The number of tokens. Absent if the reply has none or they cannot be read. Wire: `usage`.
 *
 * @category models
 */
export const Usage = Schema.Struct({
  /** Tokens of the prompt. Wire: `input_tokens`. */
  inputTokens: Count,
  /** Tokens of the images. Wire: `output_tokens`. */
  outputTokens: optional(Count),
  /** Both. Wire: `total_tokens`. */
  totalTokens: Count,
  /** Wire: `input_tokens_details`. */
  inputTokensDetails: optional(InputTokensDetails),
  /** Wire: `output_tokens_details`, of the same shape. */
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

/** @category models */
export type Usage = typeof Usage.Type

/** What a response and a `Completed` carry beside the wire's fields, from the headers. */
export const headerFields = {
  /** Header `x-request-id`: name it when you ask for support. */
  requestId: optional(Schema.String),
  rateLimit: optional(RateLimit)
}

/** The settings that were used, as a response and each event repeat them. */
export const settingsFields = {
  background: optional(suggest<"transparent" | "opaque" | "auto">()),
  outputFormat: optional(suggest<"png" | "webp" | "jpeg">()),
  quality: optional(suggest<"auto" | "high" | "medium" | "low">()),
  size: optional(suggest<"1024x1024" | "1536x1024" | "1024x1536" | "auto">())
}

/**
 * The response of `Images.generate`.
 *
 * @category models
 */
export class ImageGenerateResponse extends Schema.Class<ImageGenerateResponse>(
  "@effect-gradient/core/ImageGenerateResponse"
)({
  /** When the images were made; the time of arrival if the reply does not say it. Wire: `created`, Unix seconds. */
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
 * The codec whose encoded side is the reply with bytes where the wire has base64. Decoding keeps the same buffers.
 *
 * @category codecs
 */
export const Lifted = ImageGenerateResponse.pipe(Schema.encodeKeys({ outputFormat: "output_format" }))

/**
 * The codec whose encoded side is the reply as JSON, base64 included: for servers, and for JSON that is at hand.
 *
 * @category codecs
 */
export const Json = /* @__PURE__ */ Schema.toCodecJson(Lifted)
