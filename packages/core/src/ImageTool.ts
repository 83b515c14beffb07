/**
 * A tool for `effect/ai` with which a language model can generate images. The model gets a reference to each image,
 * never its bytes: an image of 1.5 MB as text would be about a million tokens. Your function `keep` decides where
 * images are kept.
 *
 * Failures are returned to the model, as text that tells it what to do. To limit what a model can spend, put
 * `ImagesBudget` around `Images`.
 *
 * This module is not part of the index, so that a program without a language model does not load it.
 *
 * @example
 * ```ts
 * import * as ImageTool from "@effect-gradient/core/ImageTool"
 * import { ImageFile, NodeImages } from "@effect-gradient/node"
 * import { Effect, Layer } from "effect"
 * import { LanguageModel } from "effect/ai"
 *
 * const tools = ImageTool.layer((image) => ImageFile.write(image, "images/drawing")).pipe(
 *   Layer.provide(NodeImages.layerFromConfig())
 * )
 *
 * // `LanguageModel` is provided by a package such as `@effect/ai-openai`.
 * const program = LanguageModel.generateText({ prompt: "Draw a sea otter", toolkit: ImageTool.toolkit }).pipe(
 *   Effect.provide(tools)
 * )
 * ```
 */
import * as Prompt from "effect/ai/Prompt"
import * as Tool from "effect/ai/Tool"
import * as Toolkit from "effect/ai/Toolkit"
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import type * as Layer from "effect/Layer"
import * as Result from "effect/Result"
import * as Schema from "effect/Schema"
import type { GeneratedImage, ImageBytes } from "./GeneratedImage.ts"
import type { GradientError, GradientErrorReason } from "./GradientError.ts"
import type { ImageGenerateParams } from "./ImageGenerateParams.ts"
import type { ImageGenerateResponse } from "./ImageGenerateResponse.ts"
import * as Images from "./Images.ts"
import { imageSizeOf } from "./internal/imageSize.ts"
import { sendable } from "./internal/schemaFields.ts"

// ---------------------------------------------------------------------------------------------------------------------
// Models
// ---------------------------------------------------------------------------------------------------------------------

const text = (description: string) => sendable(Schema.String, description)

const number = (description: string) => sendable(Schema.Finite, description)

/**
 * The params of `Images.generate`, with descriptions for a language model. A param other than `prompt` that is null
 * counts as absent, because some providers make the model send every field. This schema checks only types.
 * `Images.generate` checks the rules, before anything is sent.
 *
 * @category schemas
 * @since 0.1.0
 */
export const Parameters = Schema.Struct({
  prompt: Schema.String.annotate({
    description: "What the image shows: subject, style, light, composition, and any text in it. 1 to 32,000 characters."
  }),
  model: text("The image model. Leave it out unless the user names one."),
  n: number("How many images, 1 to 10. Each image is paid for. Default: 1."),
  background: text("The background: transparent (needs png or webp), opaque or auto. Default: auto."),
  complexity: text("How much computation is spent on planning the image: low, medium or high."),
  moderation: text("How strict the moderation is: auto or low. Leave it out unless the user asks for it."),
  outputCompression: number("Quality of the compression from 0 to 100, only for webp and jpeg. Default: 100."),
  outputFormat: text("The file format: png, webp or jpeg. webp and jpeg files are much smaller. Default: png."),
  quality: text("The quality: low, medium, high or auto. high takes minutes and costs more. Default: auto."),
  safetyIdentifier: text("A stable, anonymous identifier of the end user. Leave it out unless you were given one."),
  size: text("Width and height in pixels: 1024x1024, 1536x1024 (landscape), 1024x1536 (portrait) or auto."),
  user: text("An identifier of the end user, up to 256 characters. Leave it out unless you were given one.")
} satisfies { readonly [Name in keyof ImageGenerateParams]: Schema.Schema<ImageGenerateParams[Name]> })

/**
 * What a language model gets in place of an image: where the image is kept, and its properties.
 *
 * @category schemas
 * @since 0.1.0
 */
export const Reference = Schema.Struct({
  location: Schema.String.annotate({ description: "Where the image is kept: a path, a URL or a key." }),
  mediaType: Schema.String,
  size: Schema.optionalKey(Schema.String.annotate({ description: "Width and height in pixels, such as 1024x1024." })),
  bytes: Schema.Int.annotate({ description: "The size of the image in bytes." })
})

/**
 * What a language model gets in place of an image. `size` is absent if it cannot be read from the image, as in formats
 * other than PNG, WebP and JPEG.
 *
 * @category models
 * @since 0.1.0
 */
export interface Reference extends Schema.Schema.Type<typeof Reference> {}

/**
 * What a language model gets if its call fails, or if an image cannot be kept.
 *
 * @category schemas
 * @since 0.1.0
 */
export const Failure = Schema.Struct({
  error: Schema.String.annotate({ description: "What went wrong, and what to do." }),
  mayHaveBeenCharged: Schema.Boolean,
  images: Schema.Array(Reference).annotate({ description: "The images that arrived and were kept." })
})

/**
 * What a language model gets if its call fails, or if an image cannot be kept.
 *
 * @category models
 * @since 0.1.0
 */
export interface Failure extends Schema.Schema.Type<typeof Failure> {}

// ---------------------------------------------------------------------------------------------------------------------
// Tool
// ---------------------------------------------------------------------------------------------------------------------

/**
 * The tool that a language model can call. `layer` provides its handler.
 *
 * @category tools
 * @since 0.1.0
 */
export const GenerateImage = Tool.make("GenerateImage", {
  description:
    "Generates images from a prompt, which costs money and takes from seconds to minutes. Returns the location of each image.",
  parameters: Parameters,
  success: Schema.Struct({ images: Schema.Array(Reference) }),
  failure: Failure,
  failureMode: "return"
})

/**
 * A toolkit that has only this tool. To add other tools: `Toolkit.make(ImageTool.GenerateImage, Another)`.
 *
 * @category tools
 * @since 0.1.0
 */
export const toolkit = Toolkit.make(GenerateImage)

/**
 * Makes the reference to an image that is kept at `location`.
 *
 * @category converting
 * @since 0.1.0
 */
export const toReference = (image: ImageBytes, location: string): Reference => {
  const { bytes, mediaType } = image
  const size = imageSizeOf(bytes)
  const reference = { location, mediaType, bytes: bytes.length }
  return size === undefined ? reference : { ...reference, size: `${size.width}x${size.height}` }
}

/**
 * An image as a part of a prompt, for a language model that should see the image. Providers count it as image tokens.
 * The bytes are not copied.
 *
 * @category converting
 * @since 0.1.0
 */
export const toFilePart = ({ bytes, mediaType }: ImageBytes): Prompt.FilePart =>
  Prompt.filePart({ mediaType, data: bytes })

const askFirst = "The request may have been charged for: ask the user before you call again."

const notYours = "You cannot solve this problem: tell the user, and do not call again."

const correctAndRepeat = "Nothing was charged for. Correct the params and call again."

/** The advice for a language model after a failure that was not charged for. */
const adviceOf = (reason: GradientErrorReason): string => {
  switch (reason._tag) {
    case "InvalidParamsError":
    case "BadRequestError":
    case "UnprocessableEntityError":
      return correctAndRepeat
    case "NotFoundError":
      return reason.model === undefined
        ? notYours
        : "Leave out `model` if you set it, or ask the user for another model."
    case "ContentPolicyError":
      return "Nothing was charged for. Do not send this prompt again: change what it describes, or tell the user."
    case "BudgetExceededError":
      return reason.of === "images" && reason.left >= 1
        ? `Nothing was sent. Ask for at most ${reason.left} images.`
        : "Nothing was sent. Do not call again: tell the user that not enough of the budget is left."
    default:
      return reason.isRetryable ? waitAndRepeat(reason) : notYours
  }
}

const waitAndRepeat = ({ retryAfter }: GradientErrorReason) => {
  const wait = retryAfter === undefined ? "a minute" : `${Math.ceil(Duration.toSeconds(retryAfter))} seconds`
  return `Nothing was charged for. Call again in ${wait}.`
}

/**
 * Whether the failure's `description` is shown to the language model. The `description` of other failures can contain
 * what only the operator should see.
 */
const hasWordsForModel = ({ _tag }: GradientErrorReason) =>
  [
    "InvalidParamsError",
    "BadRequestError",
    "UnprocessableEntityError",
    "NotFoundError",
    "ContentPolicyError",
    "BudgetExceededError"
  ].includes(_tag)

/**
 * A sentence for the language model with the URLs that the service sent in place of images. Empty if there are none.
 */
const urlsOf = (reason: GradientErrorReason) =>
  reason._tag === "InvalidResponseError" && reason.urls.length > 0
    ? ` In place of images, the service sent these URLs. Give them to the user, because they may soon expire: ${reason.urls.join(" ")}`
    : ""

/**
 * Explains a failure to a language model: what went wrong, and what to do. The failure's `description` is left out if
 * it may contain what only the operator of the tool should see.
 *
 * @category converting
 * @since 0.1.0
 */
export const explain = (error: GradientError): string => {
  const { reason } = error
  const words = hasWordsForModel(reason) && reason.description !== undefined ? `: ${reason.description}` : ""
  const advice = error.mayHaveBeenCharged ? askFirst : adviceOf(reason)
  return `${`${reason.summary}${words}`.replace(/[.!?]?$/, ".")} ${advice}${urlsOf(reason)}`
}

// ---------------------------------------------------------------------------------------------------------------------
// Layer
// ---------------------------------------------------------------------------------------------------------------------

/**
 * A function that keeps an image and returns its location: a path, a URL or a key of a store.
 *
 * @category models
 * @since 0.1.0
 */
export interface Keep<E extends { readonly message: string }, R> {
  (image: GeneratedImage): Effect.Effect<string, E, R>
}

/** Passes each image to `keep`, even if an earlier image could not be kept. */
const keepAll = Effect.fnUntraced(function* <E extends { readonly message: string }, R>(
  keep: Keep<E, R>,
  images: ReadonlyArray<GeneratedImage>
) {
  const kept: Array<Reference> = []
  const problems: Array<string> = []
  for (const image of images) {
    const location = yield* Effect.result(keep(image))
    if (Result.isSuccess(location)) kept.push(toReference(image, location.success))
    else problems.push(location.failure.message)
  }
  if (problems.length > 0) yield* Effect.logError("Generated images could not be kept", problems)
  return { kept, isComplete: problems.length === 0 }
})

const notKept = (images: ReadonlyArray<Reference>): Failure => ({
  error: "The images were generated and paid for, but not all could be kept: tell the user, and do not call again.",
  mayHaveBeenCharged: true,
  images
})

const handle = <E extends { readonly message: string }, R>(keep: Keep<E, R>) =>
  Effect.fnUntraced(function* (params: typeof Parameters.Type) {
    const answer = Effect.fnUntraced(function* (response: Result.Result<ImageGenerateResponse, GradientError>) {
      const isDone = Result.isSuccess(response)
      const { isComplete, kept } = yield* keepAll(keep, isDone ? response.success.data : response.failure.reason.images)
      if (!isDone) {
        const { mayHaveBeenCharged } = response.failure
        return yield* Effect.fail<Failure>({ error: explain(response.failure), mayHaveBeenCharged, images: kept })
      }
      return isComplete ? { images: kept } : yield* Effect.fail(notKept(kept))
    })
    // The reply is handled without interruption, so that its images, which were paid for, are kept even if the call is
    // interrupted meanwhile.
    return yield* Effect.uninterruptibleMask((restore) =>
      Effect.flatMap(Effect.result(restore(Images.generate(params))), answer)
    )
  })

/**
 * Provides the handler of `GenerateImage`, for every toolkit that has this tool. The handler passes each image to
 * `keep`, which returns its location. If `keep` fails, the message of its error is logged, and the model gets a
 * failure. The image was paid for, but is lost unless `keep` has stored it.
 *
 * @category layers
 * @since 0.1.0
 */
export const layer = <E extends { readonly message: string }, R = never>(
  keep: Keep<E, R>
): Layer.Layer<Tool.Handler<"GenerateImage">, never, Images.Images | R> =>
  toolkit.toLayer(
    Effect.map(Effect.context<Images.Images | R>(), (context) => {
      const generate = handle(keep)
      return { GenerateImage: (params) => Effect.provide(generate(params), context) }
    })
  )
