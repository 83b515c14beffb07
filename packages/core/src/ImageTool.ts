/**
 * A tool for `effect/ai`, with which a language model generates images. The model gets a reference to each image, never its
 * bytes: an image of 1.5 MB as text would be about a million tokens. You decide where images are kept.
 *
 * Failures are returned to the model, in words that it can act on. With `ImagesBudget` around `Images`, a model cannot spend
 * without end.
 *
 * It is not part of the index, so that a program without a language model does not load it.
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
 * The params of `Images.generate`, described for a model. Null counts as absent, because some providers require every
 * field. It checks types; `Images.generate` checks the rules, before anything is sent.
 *
 * @category schemas
 * @since 0.1.0
 */
export const Parameters = Schema.Struct({
  prompt: Schema.String.annotate({
    description: "What the image shows: subject, style, light, composition, and any text in it. 1 to 32,000 characters."
  }),
  model: text("The image model. Leave it out unless the user names one."),
  n: number("How many images, 1 to 10. Each is paid for. Default: 1."),
  background: text("transparent (needs png or webp), opaque or auto. Default: auto."),
  complexity: text("How much is computed to plan the image: low, medium or high."),
  moderation: text("How strict the moderation is: auto or low. Leave it out unless the user asks for it."),
  outputCompression: number("Quality from 0 to 100, for webp and jpeg alone. Default: 100."),
  outputFormat: text("The file format: png, webp or jpeg. webp and jpeg files are much smaller. Default: png."),
  quality: text("low, medium, high or auto. high takes minutes and costs most. Default: auto."),
  safetyIdentifier: text("A stable, anonymous identifier of the end user. Leave it out unless you were given one."),
  size: text("Width and height in pixels: 1024x1024, 1536x1024 (landscape), 1024x1536 (portrait) or auto."),
  user: text("An identifier of the end user, up to 256 characters. Leave it out unless you were given one.")
} satisfies { readonly [Name in keyof ImageGenerateParams]: Schema.Schema<ImageGenerateParams[Name]> })

/**
 * What a model gets instead of an image.
 *
 * @category schemas
 * @since 0.1.0
 */
export const Reference = Schema.Struct({
  location: Schema.String.annotate({ description: "Where the image is kept: a path, a URL or a key." }),
  mediaType: Schema.String,
  size: Schema.optionalKey(Schema.String.annotate({ description: "Width and height in pixels: 1024x1024." })),
  bytes: Schema.Int.annotate({ description: "The length of the file." })
})

/**
 * What a model gets instead of an image. `size` is absent if the format is not PNG, WebP or JPEG.
 *
 * @category models
 * @since 0.1.0
 */
export interface Reference extends Schema.Schema.Type<typeof Reference> {}

/**
 * What a model gets if a call fails.
 *
 * @category schemas
 * @since 0.1.0
 */
export const Failure = Schema.Struct({
  error: Schema.String.annotate({ description: "What went wrong, and what to do." }),
  mayHaveBeenCharged: Schema.Boolean,
  images: Schema.Array(Reference).annotate({ description: "Images that arrived before the failure." })
})

/**
 * What a model gets if a call fails.
 *
 * @category models
 * @since 0.1.0
 */
export interface Failure extends Schema.Schema.Type<typeof Failure> {}

// ---------------------------------------------------------------------------------------------------------------------
// Tool
// ---------------------------------------------------------------------------------------------------------------------

/**
 * The tool. `layer` makes its handler.
 *
 * @category tools
 * @since 0.1.0
 */
export const GenerateImage = Tool.make("GenerateImage", {
  description:
    "Generates images from a prompt, which costs money and takes from seconds to minutes. Returns where each is kept.",
  parameters: Parameters,
  success: Schema.Struct({ images: Schema.Array(Reference) }),
  failure: Failure,
  failureMode: "return"
})

/**
 * A toolkit with this tool alone. For others beside it: `Toolkit.make(ImageTool.GenerateImage, Another)`.
 *
 * @category tools
 * @since 0.1.0
 */
export const toolkit = Toolkit.make(GenerateImage)

/**
 * The reference to an image that is kept at this location.
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
 * An image as a part of a prompt, for a model that should see it. Providers count it as image tokens. The bytes are not
 * copied.
 *
 * @category converting
 * @since 0.1.0
 */
export const toFilePart = ({ bytes, mediaType }: ImageBytes): Prompt.FilePart =>
  Prompt.filePart({ mediaType, data: bytes })

const askFirst = "It may have been charged for: ask the user before you call again."

const notYours = "Only the operator of this tool can correct that: tell the user, and do not call again."

const correctAndRepeat = "Nothing was charged for. Correct the params and call again."

/** What a model can do after a failure that was not charged for. */
const adviceOf = (reason: GradientErrorReason): string => {
  switch (reason._tag) {
    case "InvalidParamsError":
    case "BadRequestError":
    case "UnprocessableEntityError":
      return correctAndRepeat
    case "NotFoundError":
      return reason.model === undefined ? notYours : "Leave out `model`, or ask the user for another one."
    case "ContentPolicyError":
      return "Nothing was charged for. Do not send this prompt again: change what it describes, or tell the user."
    case "BudgetExceededError":
      return reason.of === "images" && reason.left >= 1
        ? `Nothing was sent. Ask for at most ${reason.left} images.`
        : "Nothing was sent. Do not call again: tell the user that the budget is used up."
    default:
      return reason.isRetryable ? waitAndRepeat(reason) : notYours
  }
}

const waitAndRepeat = ({ retryAfter }: GradientErrorReason) => {
  const wait = retryAfter === undefined ? "a minute" : `${Math.ceil(Duration.toSeconds(retryAfter))} seconds`
  return `Nothing was charged for. Call again in ${wait}.`
}

/** The service's own words about other failures can name what only the operator should see. */
const hasWordsForModel = ({ _tag }: GradientErrorReason) =>
  [
    "InvalidParamsError",
    "BadRequestError",
    "UnprocessableEntityError",
    "NotFoundError",
    "ContentPolicyError",
    "BudgetExceededError"
  ].includes(_tag)

/** The URLs that the service sent in place of images, for the model to pass on. Empty if there are none. */
const urlsOf = (reason: GradientErrorReason) =>
  reason._tag === "InvalidResponseError" && reason.urls.length > 0
    ? ` The service replied with these URLs, which may soon expire: ${reason.urls.join(" ")}`
    : ""

/**
 * What went wrong and what to do, for a model. The service's words are left out if only the operator can act on them.
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
 * Keeps an image and returns its location: a path, a URL or a key of a store.
 *
 * @category models
 * @since 0.1.0
 */
export interface Keep<E extends { readonly message: string }, R> {
  (image: GeneratedImage): Effect.Effect<string, E, R>
}

/** Keeps each image. One that cannot be kept does not prevent the others. */
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
  if (problems.length > 0) yield* Effect.logError("Images that were paid for could not be kept", problems)
  return { kept, isComplete: problems.length === 0 }
})

const notKept = (images: ReadonlyArray<Reference>): Failure => ({
  error:
    "The images were generated, and some could not be kept. They are paid for: tell the user, and do not call again.",
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
    // Images that were paid for are kept even if the call is interrupted meanwhile.
    return yield* Effect.uninterruptibleMask((restore) =>
      Effect.flatMap(Effect.result(restore(Images.generate(params))), answer)
    )
  })

/**
 * The handler of `GenerateImage`, for every toolkit that has this tool. `keep` gets each image, and returns where it is
 * kept. If `keep` fails, that is logged, and the model gets a failure: the image was paid for, and is lost unless `keep`
 * has stored it elsewhere.
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
