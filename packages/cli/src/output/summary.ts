/** Prints the result of a call: lines for a person, or one JSON object for a program. */
import type { GeneratedImage, GradientError } from "@effect-gradient/core"
import type * as Config from "effect/Config"
import * as Console from "effect/Console"
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as Option from "effect/Option"
import * as Path from "effect/Path"
import type { Generated } from "../generate/requestImages.ts"
import type { ExtensionError, FileExistsError, OutputError } from "../generate/destination.ts"
import { count, seconds, size } from "./format.ts"
import { urlsOf, wordsOf } from "./message.ts"
import * as ImagePreview from "./imagePreview.ts"
import type { PromptError } from "../generate/prompt.ts"
import type { WriteError } from "../generate/writeImages.ts"

/** An image and the path of the file that it was written to, or `-` for standard output. */
export interface Written {
  readonly image: GeneratedImage.ImageBytes & { readonly revisedPrompt?: string | undefined }
  readonly path: string
}

/**
 * Prints the path, dimensions and size of each image, then the tokens and the time. If an image was written to standard
 * output, these lines are printed on standard error.
 */
export const printLines = Effect.fnUntraced(function* (
  written: ReadonlyArray<Written>,
  { usage }: Generated,
  elapsed: number,
  emulated: boolean
) {
  const print = written.some(({ path }) => path === "-") ? Console.error : Console.log
  for (const { image, path } of written) {
    const { height, width } = Option.getOrElse(yield* ImagePreview.dimensions(image), () => ({
      height: "?",
      width: "?"
    }))
    yield* print(`${path}  ${width}x${height}  ${size(image.bytes)}`)
  }
  const tokens = usage === undefined ? [] : [`${count(usage.totalTokens)} tokens`]
  yield* print([...tokens, seconds(elapsed), ...(emulated ? ["emulated"] : [])].join(", "))
})

export const printJson = Effect.fnUntraced(function* (
  written: ReadonlyArray<Written>,
  { requestId, usage }: Generated,
  elapsed: number,
  emulated: boolean
) {
  const { resolve } = yield* Path.Path
  const images = yield* Effect.forEach(written, ({ image, path }) =>
    Effect.map(ImagePreview.dimensions(image), (dimensions) => ({
      path: resolve(path),
      mediaType: image.mediaType,
      ...Option.getOrUndefined(dimensions),
      bytes: image.bytes.length,
      revisedPrompt: image.revisedPrompt
    }))
  )
  yield* Console.log(JSON.stringify({ emulated, images, usage, requestId, seconds: Math.round(elapsed) / 1000 }))
})

type Failure =
  | Config.ConfigError
  | GradientError.GradientError
  | ExtensionError
  | FileExistsError
  | OutputError
  | PromptError
  | WriteError

export const printJsonError = Effect.fnUntraced(function* (
  error: Failure,
  kept: ReadonlyArray<string>,
  elapsed: number,
  emulated: boolean
) {
  const { resolve } = yield* Path.Path
  const paths = kept.map((path) => resolve(path))
  yield* Console.log(
    JSON.stringify({ emulated, error: describe(error), kept: paths, seconds: Math.round(elapsed) / 1000 })
  )
})

const describe = (error: Failure) => {
  if (error._tag !== "GradientError") return { reason: error._tag, message: error.message }
  const { attempts, isRetryable, mayHaveBeenCharged, reason } = error
  const urls = urlsOf(error)
  return {
    reason: reason._tag,
    message: wordsOf(error),
    urls: urls.length > 0 ? urls : undefined,
    status: reason.status,
    code: reason.code,
    requestId: reason.requestId,
    retryAfterSeconds: reason.retryAfter === undefined ? undefined : Duration.toSeconds(reason.retryAfter),
    isRetryable,
    mayHaveBeenCharged,
    attempts: attempts.length
  }
}
