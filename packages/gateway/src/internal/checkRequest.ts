/**
 * From the payload of a request to the params that are sent. Every broken rule is reported at once, under its name on the
 * wire. A param that core does not know is refused, not dropped: nobody pays for something that was not asked for.
 */
import { ImageGenerateParams } from "@effect-gradient/core"
import type * as HttpApiError from "effect/http-api/HttpApiError"
import * as Predicate from "effect/Predicate"
import * as Result from "effect/Result"
import * as SchemaIssue from "effect/SchemaIssue"
import * as ApiError from "../ApiError.ts"
import type { Request } from "../Attempts.ts"
import type { Payload } from "../ImagesApi.ts"

export interface Rules {
  /** A request that names no model gets the first. */
  readonly models: ReadonlyArray<string>
  readonly sizes: ReadonlyArray<string>
  readonly n: number
  readonly promptLength: number
}

type Issue = ImageGenerateParams.Issue

/** What is wrong with a request. */
interface Problem {
  /** The param's name on the wire; empty for the whole body. */
  readonly param: string
  /** A sentence that names it. */
  readonly message: string
}

const shorten = (text: string) => (text.length <= 1000 ? text : `${text.slice(0, 1000)}...`)

/** All problems in one message. `param` is the first one's. */
const invalid = (problems: ReadonlyArray<Problem>): ApiError.ApiError => {
  const param = problems.find((problem) => problem.param !== "")?.param
  return ApiError.make(400, `Invalid request: ${shorten(problems.map(({ message }) => message).join("; "))}.`, {
    code: "invalid_value",
    param: param === undefined ? undefined : shorten(param)
  })
}

const { wireNameOf } = ImageGenerateParams

const onTheWire = (issue: Issue): Problem => ({
  param: wireNameOf(issue.param),
  message: ImageGenerateParams.renderIssue(issue, (name) => `'${wireNameOf(name)}'`)
})

const known: ReadonlySet<string> = new Set([...ImageGenerateParams.names.map(wireNameOf), "stream"])

/** What is wrong with a body that does not fit the schema: types, rules and members that are not known. */
const problemsOfBody = (body: unknown): ReadonlyArray<Problem> => {
  if (!Predicate.isObject(body)) return [{ param: "", message: "the body must be a JSON object" }]
  const stream = body["stream"] ?? false
  const issues = [
    ...ImageGenerateParams.check(ImageGenerateParams.fromWire(body), stream === true ? "stream" : "generate"),
    ...(Predicate.isBoolean(stream) ? [] : [{ param: "stream", given: `a ${typeof stream}`, allowed: "true or false" }])
  ]
  const unknown = Object.keys(body).filter((name) => !known.has(name))
  return [...issues.map(onTheWire), ...unknown.map((param) => ({ param, message: `'${param}' is not a known param` }))]
}

/** The error for a request that does not fit the schemas. */
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

/** The rules of this gateway that are broken. */
const brokenRules = ({ model, n, prompt, size = "auto" }: Params, rules: Rules): ReadonlyArray<Issue> => {
  const isLong = prompt.length > rules.promptLength && Array.from(prompt).length > rules.promptLength
  return [
    { param: "model", given: `"${model}"`, allowed: `${list(rules.models)} here`, holds: rules.models.includes(model) },
    { param: "size", given: `"${size}"`, allowed: `${list(rules.sizes)} here`, holds: rules.sizes.includes(size) },
    { param: "n", given: String(n), allowed: `at most ${rules.n} here`, holds: n <= rules.n },
    {
      param: "prompt",
      given: `${prompt.length} characters`,
      allowed: `at most ${rules.promptLength} characters here`,
      holds: !isLong
    }
  ].filter(({ holds }) => !holds)
}

/** The request of this payload, with the defaults filled in. */
export const checkRequest = (
  { stream, ...given }: Payload,
  rules: Rules
): Result.Result<Request, ApiError.ApiError> => {
  const kind = stream === true ? "stream" : "generate"
  const params = ImageGenerateParams.withDefaults(given, kind, rules.models[0])
  const general = ImageGenerateParams.check(params, kind)
  const here = brokenRules(params, rules)
  const issues = [...general, ...here.filter(({ param }) => general.every((issue) => issue.param !== param))]
  return issues.length > 0 ? Result.fail(invalid(issues.map(onTheWire))) : Result.succeed({ kind, params })
}
