/**
 * Parses one line of a batch file: JSON with the params by their wire names, and an `id` that no other line has.
 */
import { ImageGenerateParams } from "@effect-gradient/core"
import * as Predicate from "effect/Predicate"
import * as Result from "effect/Result"
import * as Schema from "effect/Schema"

type Params = ImageGenerateParams.ImageGenerateParamsNonStreaming
type Issue = ImageGenerateParams.Issue

export interface Request {
  readonly id: string
  readonly params: Params
}

const longestId = 300

const { wireNameOf } = ImageGenerateParams
const known: ReadonlySet<string> = new Set(["id", ...ImageGenerateParams.names.map(wireNameOf)])

const decodeParams = Schema.decodeUnknownResult(ImageGenerateParams.Json)

const parse = (text: string): Result.Result<unknown, Issue> =>
  Result.try({
    try: (): unknown => JSON.parse(text),
    catch: (cause) => ({ param: "", given: cause instanceof Error ? cause.message : "other text", allowed: "JSON" })
  })

const idIssues = (id: unknown): ReadonlyArray<Issue> => {
  if (!Predicate.isString(id)) return [{ param: "id", given: `a ${typeof id}`, allowed: "a string" }]
  return id.length >= 1 && id.length <= longestId && id.isWellFormed()
    ? []
    : [{ param: "id", given: `${id.length} characters`, allowed: `1 to ${longestId} characters of valid Unicode` }]
}

/** Returns the request of a line, or the problems of the line. */
export const parseLine = (text: string): Result.Result<Request, ReadonlyArray<Issue>> => {
  const parsed = parse(text)
  if (Result.isFailure(parsed)) return Result.fail([parsed.failure])
  const body = parsed.success
  if (!Predicate.isObject(body)) return Result.fail([{ param: "", given: "other JSON", allowed: "a JSON object" }])
  const unknown = Object.keys(body).filter((name) => !known.has(name))
  const issues = [
    ...idIssues(body["id"]),
    ...ImageGenerateParams.check(ImageGenerateParams.fromWire(body), "generate").map((issue) => ({
      ...issue,
      param: wireNameOf(issue.param)
    })),
    ...unknown.map((param) => ({ param, given: "an unknown param", allowed: "left out" }))
  ]
  if (issues.length > 0) return Result.fail(issues)
  return Result.mapBoth(decodeParams(body), {
    onSuccess: ({ partialImages: _none, ...params }) => ({ id: String(body["id"]), params }),
    onFailure: (error) => [{ param: "", given: error.message, allowed: "a request" }]
  })
}
