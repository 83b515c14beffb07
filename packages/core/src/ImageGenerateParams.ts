/**
 * What is asked for: the parameters of `POST /v1/images/generations`, and the rules that are checked before anything
 * is sent. A model, size or quality that is new tomorrow passes; a rule of one model does not bind another.
 */
import * as Schema from "effect/Schema"
import { sendable, sendableNonNull, suggest } from "./internal/schemaFields.ts"

/** The model that is asked where none is named. */
export const defaultModel = "openai-gpt-image-1"

const Fields = Schema.Struct({
  /** What the image shows: 1 to 32,000 characters. */
  prompt: Schema.String,
  /** The model that draws. Default: `openai-gpt-image-1`. */
  model: sendableNonNull(suggest<"openai-gpt-image-1">()),
  /** How many images, 1 to 10; gpt-image-1 makes 1. Default: 1. */
  n: sendable(Schema.Number),
  /** What is behind the subject; transparent needs png or webp. */
  background: sendable(suggest<"transparent" | "opaque" | "auto">()),
  /** How strict the moderation is. */
  moderation: sendable(suggest<"low" | "auto">()),
  /** Quality from 0 to 100, for webp and jpeg. Wire: `output_compression`. */
  outputCompression: sendable(Schema.Number),
  /** The format of the image. Wire: `output_format`. */
  outputFormat: sendable(suggest<"png" | "webp" | "jpeg">()),
  /** How many pictures come on the way, with `generateStream` alone; gpt-image models send at most 3. Wire: `partial_images`. */
  partialImages: sendable(Schema.Number),
  /** How carefully the image is made; high takes minutes. */
  quality: sendable(suggest<"auto" | "high" | "medium" | "low">()),
  /** Width and height in pixels. */
  size: sendable(suggest<"auto" | "1024x1024" | "1536x1024" | "1024x1536">()),
  /** Your own identifier of the end user, up to 256 characters. */
  user: sendable(Schema.String)
})

/** @category models */
export type ImageGenerateParams = typeof Fields.Type

const isGptImage1 = (model: string | undefined) => /^(openai-)?gpt-image-1$/.test(model ?? defaultModel)
const isGptImage = (model: string | undefined) => /^(openai-)?gpt-image/.test(model ?? defaultModel)

const isWithin = (value: number | undefined, minimum: number, maximum: number) =>
  value === undefined || (Number.isInteger(value) && value >= minimum && value <= maximum)

/** Characters as the API counts them: code points. Only what could be too long is counted. */
const isLongerThan = (text: string, maximum: number) => text.length > maximum && Array.from(text).length > maximum

const given = (value: string | number | undefined): string => {
  if (value === undefined) return "nothing"
  return typeof value === "number" ? String(value) : value.length <= 40 ? `"${value}"` : `${value.length} characters`
}

/** One rule: the param that breaks it is named, with what was given and what is allowed. */
const rule = (
  param: keyof ImageGenerateParams,
  allowed: string | ((params: ImageGenerateParams) => string),
  holds: (params: ImageGenerateParams) => boolean
) =>
  Schema.makeFilter<ImageGenerateParams>((params) => {
    if (holds(params)) return undefined
    const what = typeof allowed === "string" ? allowed : allowed(params)
    return { path: [param], issue: `${given(params[param])} was given, allowed is ${what}` }
  })

const rules = [
  rule("prompt", "1 to 32,000 characters", ({ prompt }) => prompt.length > 0 && !isLongerThan(prompt, 32_000)),
  rule(
    "n",
    ({ model }) => (isGptImage1(model) ? `1 with ${model ?? defaultModel}` : "a whole number from 1 to 10"),
    ({ model, n }) => isWithin(n, 1, isGptImage1(model) ? 1 : 10)
  ),
  rule("outputCompression", "a whole number from 0 to 100", (params) => isWithin(params.outputCompression, 0, 100)),
  rule(
    "outputCompression",
    "100 unless outputFormat is webp or jpeg",
    ({ outputCompression: compression, outputFormat: format = "png" }) =>
      format !== "png" || compression === undefined || compression >= 100 || !isWithin(compression, 0, 100)
  ),
  rule(
    "background",
    ({ outputFormat }) => `transparent only with outputFormat png or webp, not ${outputFormat}`,
    ({ background, outputFormat }) => background !== "transparent" || outputFormat !== "jpeg"
  ),
  rule("user", "up to 256 characters", ({ user }) => user === undefined || !isLongerThan(user, 256))
] as const

/**
 * The params of both functions. A plain object serves: `{ prompt: "a sea otter" }`.
 *
 * @category models
 */
export const ImageGenerateParams = Fields.check(...rules)

/**
 * The params of `Images.generate`: without partial images, which only a stream can carry.
 *
 * @category models
 */
export const ImageGenerateParamsNonStreaming = ImageGenerateParams.check(
  rule("partialImages", "none with generate: use generateStream", (params) => params.partialImages === undefined)
)

/**
 * The params of `Images.generateStream`: 1 partial image or more, and at most 3 of gpt-image models.
 *
 * @category models
 */
export const ImageGenerateParamsStreaming = ImageGenerateParams.check(
  rule(
    "partialImages",
    ({ model }) => (isGptImage(model) ? "a whole number from 1 to 3" : "a whole number of at least 1"),
    ({ model, partialImages }) => isWithin(partialImages, 1, isGptImage(model) ? 3 : Number.MAX_SAFE_INTEGER)
  )
)

/**
 * The codec whose encoded side is the request's body. What is absent is not sent, and null is read as absent.
 *
 * @category codecs
 */
export const Json = Fields.pipe(
  Schema.encodeKeys({
    outputCompression: "output_compression",
    outputFormat: "output_format",
    partialImages: "partial_images"
  })
)
