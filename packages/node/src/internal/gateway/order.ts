/**
 * From a request's payload to the body that goes behind: core's rules and the gateway's are checked, all at once.
 * A param that core does not know is refused, not dropped: nobody pays for something other than what was asked for.
 */
import { ImageGenerateParams } from "@effect-gradient/core"
import * as Result from "effect/Result"
import * as Schema from "effect/Schema"
import * as ApiError from "./ApiError.ts"

const wireNames = {
  outputCompression: "output_compression",
  outputFormat: "output_format",
  partialImages: "partial_images"
} as const

/** The params of core, and `stream`, which the functions of core stand for. */
export const Payload = Schema.Struct({
  ...ImageGenerateParams.ImageGenerateParams.fields,
  /** Server-sent events: pictures on the way, then the whole one. */
  stream: Schema.optional(Schema.NullOr(Schema.Boolean))
}).pipe(Schema.encodeKeys(wireNames))

/** What may be asked. */
export interface Rules {
  readonly models: ReadonlyArray<string>
  readonly sizes: ReadonlyArray<string>
  readonly n: number
  readonly promptLength: number
}

export interface Order {
  readonly isStream: boolean
  /** How many images are to be paid for. */
  readonly n: number
  /** The body that goes behind, as JSON. */
  readonly json: string
}

type Params = ImageGenerateParams.ImageGenerateParams

const all = { errors: "all" } as const
const check = Schema.decodeUnknownResult(Schema.toType(ImageGenerateParams.ImageGenerateParams), all)
const checkStreaming = Schema.decodeUnknownResult(Schema.toType(ImageGenerateParams.ImageGenerateParamsStreaming), all)
const encode = Schema.encodeSync(ImageGenerateParams.Json)

const onTheWire = (text: string): string =>
  Object.entries(wireNames).reduce((written, [ours, wire]) => written.replaceAll(ours, wire), text)

const coreIssues = (params: Params, isStream: boolean): ReadonlyArray<ApiError.Issue> => {
  const checked = (isStream ? checkStreaming : check)(params)
  const issues = Result.isFailure(checked) ? ApiError.issuesOf(checked.failure) : []
  return issues.map(({ message, param }) => ({ param: onTheWire(param), message: onTheWire(message) }))
}

const list = (values: ReadonlyArray<string>) => values.map((value) => `"${value}"`).join(", ")

const brokenRules = (params: Params, isStream: boolean, rules: Rules): ReadonlyArray<ApiError.Issue> => {
  const { model = ImageGenerateParams.defaultModel, n = 1, partialImages = 0, prompt, size = "auto" } = params
  return [
    { param: "model", message: `allowed here is ${list(rules.models)}`, holds: rules.models.includes(model) },
    { param: "size", message: `allowed here is ${list(rules.sizes)}`, holds: rules.sizes.includes(size) },
    { param: "n", message: `allowed here is at most ${rules.n}`, holds: n <= rules.n },
    {
      param: "prompt",
      message: `allowed here is at most ${rules.promptLength} characters`,
      holds: prompt.length <= rules.promptLength || Array.from(prompt).length <= rules.promptLength
    },
    { param: "partial_images", message: "allowed only with stream: true", holds: isStream || partialImages === 0 }
  ].filter(({ holds }) => !holds)
}

/** What this payload asks for, with what the API requires and callers may leave out. */
export const orderOf = (
  { stream, ...params }: typeof Payload.Type,
  rules: Rules
): Result.Result<Order, ApiError.ApiError> => {
  const isStream = stream === true
  const general = coreIssues(params, isStream)
  const here = brokenRules(params, isStream, rules)
  const issues = [...general, ...here.filter(({ param }) => general.every((issue) => issue.param !== param))]
  if (issues.length > 0) return Result.fail(ApiError.fromIssues(issues))
  const { partial_images: partialImages = 1, ...wire } = encode(params)
  const body = { model: ImageGenerateParams.defaultModel, n: 1, ...wire }
  return Result.succeed({
    isStream,
    n: params.n ?? 1,
    json: JSON.stringify(isStream ? { ...body, partial_images: partialImages, stream: true } : body)
  })
}
