/**
 * Checks the payload of a request, and fills in the defaults. Several broken rules are reported at once, with the wire
 * names of the params. An unknown param is refused, because if it were ignored, the caller would pay for an image that
 * was made without it.
 */
import { ImageGenerateParams } from "@effect-gradient/core"
import type * as HttpApiError from "effect/http-api/HttpApiError"
import * as Predicate from "effect/Predicate"
import * as Result from "effect/Result"
import * as SchemaIssue from "effect/SchemaIssue"
import * as ApiError from "../ApiError.ts"
import type { Request } from "../Attempts.ts"
import type { Payload } from "../ImagesApi.ts"

/** The rules of a gateway, with their defaults filled in. */
export interface ResolvedRules {
  /** The allowed models. A request that names no model gets the first one. */
  readonly models: ReadonlyArray<string>
  readonly sizes: ReadonlyArray<string>
  readonly n: number
  readonly promptLength: number
}

type Issue = ImageGenerateParams.Issue

interface Problem {
  /** The wire name of a param, or the name of a header or of a path param. Empty if the problem is the body itself. */
  readonly param: string
  /** A message that names the param, if `param` is not empty. */
  readonly message: string
}

const shorten = (text: string) => (text.length <= 1000 ? text : `${text.slice(0, 1000)}...`)

/** Makes one error of all problems. Its `param` is that of the first problem that has one. */
const invalid = (problems: ReadonlyArray<Problem>): ApiError.ApiError => {
  const param = problems.find((problem) => problem.param !== "")?.param
  return ApiError.make(400, `Invalid request: ${shorten(problems.map(({ message }) => message).join("; "))}.`, {
    code: "invalid_value",
    param: param === undefined ? undefined : shorten(param)
  })
}

const { wireNameOf } = ImageGenerateParams

const problemOf = (issue: Issue): Problem => ({
  param: wireNameOf(issue.param),
  message: ImageGenerateParams.renderIssue(issue, (name) => `'${wireNameOf(name)}'`)
})

const known: ReadonlySet<string> = new Set([...ImageGenerateParams.names.map(wireNameOf), "stream"])

/** Lists the problems of a body that does not match the schema: wrong types, broken rules and unknown params. */
const problemsOfBody = (body: unknown): ReadonlyArray<Problem> => {
  if (!Predicate.isObject(body)) return [{ param: "", message: "the body must be a JSON object" }]
  const stream = body["stream"] ?? false
  const issues = [
    ...ImageGenerateParams.check(ImageGenerateParams.fromWire(body), stream === true ? "stream" : "generate"),
    ...(Predicate.isBoolean(stream) ? [] : [{ param: "stream", given: `a ${typeof stream}`, allowed: "true or false" }])
  ]
  const unknown = Object.keys(body).filter((name) => !known.has(name))
  return [...issues.map(problemOf), ...unknown.map((param) => ({ param, message: `'${param}' is not a known param` }))]
}

export const fromSchemaError = ({ cause: { issue }, kind }: HttpApiError.HttpApiSchemaError): ApiError.ApiError =>
  invalid(
    kind === "Payload" && SchemaIssue.hasInput(issue)
      ? problemsOfBody(issue.input)
      : SchemaIssue.makeFormatterStandardSchemaV1()(issue).issues.map(({ message, path = [] }) => {
          const param = path.map(String).join(".")
          return { param, message: param === "" ? "the body must be valid JSON" : `'${param}' ${message}` }
        })
  )

const list = (values: ReadonlyArray<string>) => values.map((value) => `"${value}"`).join(" or ")

type Params = Request["params"]

/** Lists the rules of this gateway that the params break. */
const brokenRules = ({ model, n, prompt, size = "auto" }: Params, rules: ResolvedRules): ReadonlyArray<Issue> => {
  // A prompt has at most as many characters as UTF-16 units, so the characters of most prompts need not be counted.
  const length = prompt.length > rules.promptLength ? Array.from(prompt).length : prompt.length
  return [
    {
      param: "model",
      given: `"${model}"`,
      allowed: `${list(rules.models)} on this gateway`,
      holds: rules.models.includes(model)
    },
    {
      param: "size",
      given: `"${size}"`,
      allowed: `${list(rules.sizes)} on this gateway`,
      holds: rules.sizes.includes(size)
    },
    { param: "n", given: String(n), allowed: `at most ${rules.n} on this gateway`, holds: n <= rules.n },
    {
      param: "prompt",
      given: `${length} characters`,
      allowed: `at most ${rules.promptLength} characters on this gateway`,
      holds: length <= rules.promptLength
    }
  ].filter(({ holds }) => !holds)
}

export const checkRequest = (
  { stream, ...payloadParams }: Payload,
  rules: ResolvedRules
): Result.Result<Request, ApiError.ApiError> => {
  const kind = stream === true ? "stream" : "generate"
  const params = ImageGenerateParams.withDefaults(payloadParams, kind, rules.models[0])
  const general = ImageGenerateParams.check(params, kind)
  const here = brokenRules(params, rules)
  const issues = [...general, ...here.filter(({ param }) => general.every((issue) => issue.param !== param))]
  return issues.length > 0 ? Result.fail(invalid(issues.map(problemOf))) : Result.succeed({ kind, params })
}
