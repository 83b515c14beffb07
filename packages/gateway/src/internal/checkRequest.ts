/**
 * From the payload of a request to what is sent to the service. Every broken rule is reported at once, under its name on
 * the wire. A param that core does not know is refused, not dropped: nobody pays for something that was not asked for.
 */
import { ImageGenerateParams } from "@effect-gradient/core"
import * as Result from "effect/Result"
import * as Schema from "effect/Schema"
import * as SchemaIssue from "effect/SchemaIssue"
import * as ApiError from "../ApiError.ts"
import type { Request } from "../Attempts.ts"
import type { Payload } from "../ImagesApi.ts"

export interface Rules {
  readonly models: ReadonlyArray<string>
  readonly sizes: ReadonlyArray<string>
  readonly n: number
  readonly promptLength: number
}

type Params = ImageGenerateParams.ImageGenerateParams

/** A broken rule. */
interface Problem {
  /** The name on the wire; empty for the whole body. */
  readonly param: string
  readonly message: string
}

const wireNames = {
  outputCompression: "output_compression",
  outputFormat: "output_format",
  partialImages: "partial_images"
} as const

const all = { errors: "all" } as const
const check = Schema.decodeUnknownResult(Schema.toType(ImageGenerateParams.ImageGenerateParams), all)
const checkStreaming = Schema.decodeUnknownResult(Schema.toType(ImageGenerateParams.ImageGenerateParamsStreaming), all)
const encode = Schema.encodeSync(ImageGenerateParams.Json)

const onTheWire = (text: string): string =>
  Object.entries(wireNames).reduce((written, [ours, wire]) => written.replaceAll(ours, wire), text)

const problemsOf = ({ issue }: Schema.SchemaError): ReadonlyArray<Problem> =>
  SchemaIssue.makeFormatterStandardSchemaV1()(issue).issues.map(({ message, path = [] }) => ({
    param: path.map(String).join("."),
    message
  }))

const shorten = (text: string) => (text.length <= 1000 ? text : `${text.slice(0, 1000)}...`)

/** All problems in one message. `param` is the first one's. */
const invalid = (problems: ReadonlyArray<Problem>): ApiError.ApiError => {
  const sentences = problems.map(({ message, param }) => (param === "" ? message : `'${param}': ${message}`))
  const param = problems.find((problem) => problem.param !== "")?.param
  return ApiError.make(400, `Invalid request: ${shorten(sentences.join("; "))}.`, {
    code: "invalid_value",
    param: param === undefined ? undefined : shorten(param)
  })
}

/** The error for a request that does not match the schemas. */
export const fromSchemaError = (error: Schema.SchemaError): ApiError.ApiError => invalid(problemsOf(error))

const coreProblems = (params: Params, isStream: boolean): ReadonlyArray<Problem> => {
  const checked = (isStream ? checkStreaming : check)(params)
  const problems = Result.isFailure(checked) ? problemsOf(checked.failure) : []
  return problems.map(({ message, param }) => ({ param: onTheWire(param), message: onTheWire(message) }))
}

const list = (values: ReadonlyArray<string>) => values.map((value) => `"${value}"`).join(", ")

const gatewayProblems = (params: Params, isStream: boolean, rules: Rules): ReadonlyArray<Problem> => {
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

/** The request of this payload, with the members that the API requires and callers may leave out. */
export const checkRequest = (
  { stream, ...params }: Payload,
  rules: Rules
): Result.Result<Request, ApiError.ApiError> => {
  const isStream = stream === true
  const general = coreProblems(params, isStream)
  const here = gatewayProblems(params, isStream, rules)
  const problems = [...general, ...here.filter(({ param }) => general.every((problem) => problem.param !== param))]
  if (problems.length > 0) return Result.fail(invalid(problems))
  const { partial_images: partialImages = 1, ...wire } = encode(params)
  const body = { model: ImageGenerateParams.defaultModel, n: 1, ...wire }
  return Result.succeed({
    params,
    isStream,
    n: params.n ?? 1,
    json: JSON.stringify(isStream ? { ...body, partial_images: partialImages, stream: true } : body)
  })
}
