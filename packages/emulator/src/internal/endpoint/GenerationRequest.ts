/**
 * Decodes the body of a request for images. It checks core's rules, and also refuses values that the API is not known
 * to accept, so that the emulator finds misspelt values before they cost money.
 */
import { ImageGenerateParams } from "@effect-gradient/core"
import * as Effect from "effect/Effect"
import * as Predicate from "effect/Predicate"
import * as Result from "effect/Result"
import * as Schema from "effect/Schema"
import type { Format } from "../painting/Encoding.ts"
import type { Quality } from "../painting/Painting.ts"
import { ApiError } from "./ApiError.ts"

/** A decoded request for images, with every default filled in. */
export interface GenerationRequest {
  readonly prompt: string
  readonly model: string
  readonly n: number
  readonly width: number
  readonly height: number
  readonly quality: Quality
  readonly background: "opaque" | "transparent"
  readonly format: Format
  readonly compression: number
  /** How many partial images each final image has. `undefined` if the request is not for a stream. */
  readonly partialImages: number | undefined
}

type Params = ImageGenerateParams.ImageGenerateParamsStreaming
type Issue = ImageGenerateParams.Issue

const decodeParams = Schema.decodeUnknownResult(ImageGenerateParams.Json)

/**
 * Makes one error of all issues, with the names that params have on the wire. Its `param` is the one of the first
 * issue.
 */
const errorOfIssues = (issues: ReadonlyArray<Issue>): ApiError => {
  const named = issues.map((issue) => ({ ...issue, param: ImageGenerateParams.wireNameOf(issue.param) }))
  const message = ImageGenerateParams.renderIssues(named, (name) => `'${name}'`)
  return new ApiError({
    status: 400,
    message: `Invalid request: ${message}.`,
    code: "invalid_value",
    ...(named[0] === undefined ? {} : { param: named[0].param })
  })
}

const badRequest = (message: string) => new ApiError({ status: 400, message, code: "invalid_value" })

const issue = (param: string, given: unknown, allowed: string): Issue => ({
  param,
  given: JSON.stringify(given),
  allowed
})

/** Returns the value if it is allowed, or the first allowed value if no value is given. Fails for any other value. */
const oneOf = <const A extends string>(
  param: keyof Params,
  value: string | undefined,
  ...allowed: readonly [A, ...ReadonlyArray<A>]
): Result.Result<A, Issue> => {
  const found = value === undefined ? allowed[0] : allowed.find((one) => one === value)
  return found === undefined ? Result.fail(issue(param, value, `one of ${allowed.join(", ")}`)) : Result.succeed(found)
}

const smallest = 64
const largest = 3840

const sizeOf = (size = "auto"): Result.Result<readonly [width: number, height: number], Issue> => {
  const [, width, height] = /^(\d{2,4})x(\d{2,4})$/.exec(size === "auto" ? "1024x1024" : size) ?? []
  const pixels = [Number(width), Number(height)] as const
  return pixels.every((side) => side >= smallest && side <= largest)
    ? Result.succeed(pixels)
    : Result.fail(issue("size", size, `auto or WIDTHxHEIGHT, each from ${smallest} to ${largest} pixels`))
}

const settingsOf = (params: Params) => ({
  quality: oneOf("quality", params.quality, "auto", "high", "medium", "low", "xhigh", "max"),
  background: oneOf("background", params.background, "auto", "opaque", "transparent"),
  format: oneOf("outputFormat", params.outputFormat, "png", "webp", "jpeg", "gif"),
  moderation: oneOf("moderation", params.moderation, "auto", "low"),
  complexity: oneOf("complexity", params.complexity, "medium", "low", "high"),
  size: sizeOf(params.size)
})

const issuesOf = (settings: Readonly<Record<string, Result.Result<unknown, Issue>>>) =>
  Object.values(settings).flatMap((setting) => (Result.isFailure(setting) ? [setting.failure] : []))

/** Fills in the defaults of a request. If settings are wrong, fails with the issues of all of them. */
const resolve = (
  decoded: Params,
  kind: ImageGenerateParams.Kind,
  model: string
): Result.Result<GenerationRequest, ApiError> => {
  const settings = settingsOf(decoded)
  const issues = issuesOf(settings)
  if (issues.length > 0) return Result.fail(errorOfIssues(issues))
  const params = ImageGenerateParams.withDefaults(decoded, kind, model)
  return Result.all(settings).pipe(
    Result.map(({ background, format, quality, size: [width, height] }) => ({
      prompt: params.prompt,
      model: params.model,
      n: params.n,
      width,
      height,
      quality: quality === "auto" ? ("medium" as const) : quality,
      background: background === "auto" ? ("opaque" as const) : background,
      format,
      compression: params.outputCompression ?? 100,
      partialImages: kind === "stream" ? params.partialImages : undefined
    })),
    Result.mapError((setting) => errorOfIssues([setting]))
  )
}

const decode = (body: string, defaultModel: string): Result.Result<GenerationRequest, ApiError> =>
  Result.gen(function* () {
    const json = yield* Result.mapError(
      Result.try((): unknown => JSON.parse(body)),
      () => badRequest("The body is not JSON.")
    )
    if (!Predicate.isObject(json)) return yield* Result.fail(badRequest("The body is not a JSON object."))
    const stream = json["stream"] ?? false
    const kind = stream === true ? "stream" : "generate"
    const named = ImageGenerateParams.fromWire(json)
    const issues = [
      ...ImageGenerateParams.check(
        { ...named, model: named["model"] === undefined ? defaultModel : named["model"] },
        kind
      ),
      ...(Predicate.isBoolean(stream) ? [] : [issue("stream", stream, "true or false")])
    ]
    if (issues.length > 0) return yield* Result.fail(errorOfIssues(issues))
    const params = yield* Result.mapError(decodeParams(json), ({ message }) => badRequest(message))
    return yield* resolve(params, kind, defaultModel)
  })

/** Decodes the body of a request. If that is not possible, fails with an error in the API's form. */
export const fromBody = (body: string, defaultModel: string): Effect.Effect<GenerationRequest, ApiError> =>
  Effect.fromResult(decode(body, defaultModel))
