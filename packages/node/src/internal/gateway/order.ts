/**
 * From a request's payload to the body that goes behind: core's rules and the gateway's are checked, all at once.
 * A param that core does not know is refused, not dropped: nobody pays for something other than what was asked for.
 */
import { ImageGenerateParams } from "@effect-gradient/core"
import type * as HttpApiError from "effect/http-api/HttpApiError"
import * as Predicate from "effect/Predicate"
import * as Result from "effect/Result"
import * as Schema from "effect/Schema"
import * as SchemaIssue from "effect/SchemaIssue"
import * as ApiError from "./ApiError.ts"

/** The params of core, and `stream`, which the functions of core stand for. */
export const Payload = Schema.Struct({
  ...ImageGenerateParams.ImageGenerateParamsStreaming.fields,
  /** Server-sent events: pictures on the way, then the whole one. */
  stream: Schema.optional(Schema.NullOr(Schema.Boolean))
}).pipe(Schema.encodeKeys(ImageGenerateParams.wireNames))

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

type Params = ImageGenerateParams.ImageGenerateParamsStreaming
type Issue = ImageGenerateParams.Issue

const encode = Schema.encodeSync(ImageGenerateParams.Json)
const { wireNameOf } = ImageGenerateParams

/** The issue by the param's name on the wire. */
const onTheWire = (issue: Issue): ApiError.Issue => ({
  param: wireNameOf(issue.param),
  message: ImageGenerateParams.renderIssue(issue, (name) => `'${wireNameOf(name)}'`)
})

const known: ReadonlySet<string> = new Set([...ImageGenerateParams.names.map(wireNameOf), "stream"])

/** Everything that is wrong with a body that does not fit the schema: types, rules and members that are not known. */
const issuesOfBody = (body: unknown): ReadonlyArray<ApiError.Issue> => {
  if (!Predicate.isObject(body)) return [{ param: "", message: "the body must be a JSON object" }]
  const stream = body["stream"] ?? false
  const issues = [
    ...ImageGenerateParams.check(ImageGenerateParams.fromWire(body), stream === true ? "stream" : "generate"),
    ...(Predicate.isBoolean(stream) ? [] : [{ param: "stream", given: `a ${typeof stream}`, allowed: "true or false" }])
  ]
  const unknown = Object.keys(body).filter((name) => !known.has(name))
  return [...issues.map(onTheWire), ...unknown.map((param) => ({ param, message: `'${param}' is not a known param` }))]
}

/** What is wrong with a request that does not fit the schemas. */
export const issuesOf = ({ cause: { issue }, kind }: HttpApiError.HttpApiSchemaError): ReadonlyArray<ApiError.Issue> =>
  kind === "Payload" && SchemaIssue.hasInput(issue)
    ? issuesOfBody(issue.input)
    : SchemaIssue.makeFormatterStandardSchemaV1()(issue).issues.map(({ message, path = [] }) => {
        const param = path.map(String).join(".")
        return { param, message: `'${param}': ${message}` }
      })

const list = (values: ReadonlyArray<string>) => values.map((value) => `"${value}"`).join(" or ")

/** The rules of this gateway that are broken; the params have every default. */
const brokenRules = (
  { model, n, prompt, size = "auto" }: Params & { readonly model: string; readonly n: number },
  rules: Rules
): ReadonlyArray<Issue> => {
  const isLong = prompt.length > rules.promptLength && Array.from(prompt).length > rules.promptLength
  return [
    { param: "model", given: `"${model}"`, allowed: `${list(rules.models)} here`, holds: rules.models.includes(model) },
    { param: "size", given: `"${size}"`, allowed: `${list(rules.sizes)} here`, holds: rules.sizes.includes(size) },
    { param: "n", given: String(n), allowed: `at most ${rules.n} here`, holds: n <= rules.n },
    {
      param: "prompt",
      given: `${Array.from(prompt).length} characters`,
      allowed: `at most ${rules.promptLength} characters here`,
      holds: !isLong
    }
  ].filter(({ holds }) => !holds)
}

/** The order of this payload, with the defaults filled in. */
export const orderOf = (
  { stream, ...given }: typeof Payload.Type,
  rules: Rules
): Result.Result<Order, ApiError.ApiError> => {
  const isStream = stream === true
  const kind = isStream ? "stream" : "generate"
  const params = ImageGenerateParams.withDefaults(given, kind)
  const general = ImageGenerateParams.check(params, kind)
  const here = brokenRules(params, rules)
  const issues = [...general, ...here.filter(({ param }) => general.every((issue) => issue.param !== param))]
  if (issues.length > 0) return Result.fail(ApiError.fromIssues(issues.map(onTheWire)))
  const body = encode(params)
  return Result.succeed({ isStream, n: params.n, json: JSON.stringify(isStream ? { ...body, stream: true } : body) })
}
