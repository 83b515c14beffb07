/**
 * From an error's status and body to its reason.
 */
import type * as HttpClientResponse from "effect/http/HttpClientResponse"
import * as UrlParams from "effect/http/UrlParams"
import * as Predicate from "effect/Predicate"
import * as Result from "effect/Result"
import * as GradientError from "../../GradientError.ts"
import type { GeneratedImage } from "../../GeneratedImage.ts"
import { property } from "../property.ts"
import { type Facts, factsOf, rateLimitOf, retryAfterOf } from "../responseHead.ts"

/** What a JSON text stands for, with its strings concealed: a secret can be written with escapes. */
export const parseJson = (text: string, conceal: (text: string) => string): Result.Result<unknown, unknown> =>
  Result.try((): unknown =>
    JSON.parse(text, (_, value: unknown) => (Predicate.isString(value) ? conceal(value) : value))
  )

/** What an error's body says, in either form of the API; of anything else, its visible text. */
interface ErrorBody {
  readonly description?: string | undefined
  readonly code?: string | undefined
  readonly type?: string | undefined
  readonly param?: string | undefined
  readonly requestId?: string | undefined
}

const stringOf = (holder: object, name: string): string | undefined => {
  const value = property(holder, name)
  return Predicate.isString(value) && value !== "" ? shorten(value) : undefined
}

/** A description, however long what it is taken from. */
export const shorten = (text: string): string => (text.length <= 1000 ? text : `${text.slice(0, 1000)}...`)

/** `{ error: { message, type, param, code } }` or `{ id, message, request_id }`. */
const errorBodyOf = (value: unknown): ErrorBody | undefined => {
  if (!Predicate.isObject(value)) return undefined
  const inner = property(value, "error")
  if (Predicate.isString(inner)) return { description: shorten(inner), requestId: stringOf(value, "request_id") }
  const error = Predicate.isObject(inner) ? inner : value
  const description = stringOf(error, "message")
  const code = stringOf(error, "code") ?? stringOf(error, "id")
  if (error === value && description === undefined && code === undefined) return undefined
  return {
    description,
    code,
    type: stringOf(error, "type"),
    param: stringOf(error, "param"),
    requestId: stringOf(value, "request_id") ?? stringOf(error, "request_id")
  }
}

/** Whether an error is told, and not only that there is none. */
export const tellsError = (value: unknown): boolean => {
  const error = property(value, "error")
  return Predicate.isObject(error) || (Predicate.isString(error) && error !== "")
}

/** An error's body from its text: JSON in either form, else the title of a page, else its visible text. */
const parseErrorBody = (text: string, conceal: (text: string) => string): ErrorBody => {
  const json = parseJson(text, conceal)
  const body = Result.isSuccess(json) ? errorBodyOf(json.success) : undefined
  if (body !== undefined) return body
  const start = conceal(text).slice(0, 4096)
  const title = /<title[^>]*>([^<]*)/i.exec(start)?.[1]
  const visible = (title ?? start.replace(/<[^>]*>/g, " ")).replace(/\s+/g, " ").trim()
  return visible === "" ? {} : { description: visible.slice(0, 300) }
}

/** What an answer can come to: the constructors of its reasons. */
type Answer =
  | (typeof byStatus)[keyof typeof byStatus]
  | typeof GradientError.BadRequestError
  | typeof GradientError.ContentPolicyError
  | typeof GradientError.InternalServerError
  | typeof GradientError.InvalidResponseError

const byStatus = {
  401: GradientError.AuthenticationError,
  402: GradientError.QuotaExceededError,
  403: GradientError.PermissionDeniedError,
  404: GradientError.NotFoundError,
  409: GradientError.ConflictError,
  422: GradientError.UnprocessableEntityError,
  429: GradientError.RateLimitError
}

const hasRow = (status: number): status is keyof typeof byStatus => status in byStatus

/** These say more than a status can. */
const byClearCode = new Map<string | undefined, Answer>([
  ["moderation_blocked", GradientError.ContentPolicyError],
  ["content_policy_violation", GradientError.ContentPolicyError],
  ["insufficient_quota", GradientError.QuotaExceededError],
  ["billing_hard_limit_reached", GradientError.QuotaExceededError]
])

const byCode = new Map<string | undefined, Answer>([
  ...byClearCode,
  ["rate_limit_exceeded", GradientError.RateLimitError],
  ["too_many_requests", GradientError.RateLimitError],
  ["invalid_api_key", GradientError.AuthenticationError],
  ["authentication_error", GradientError.AuthenticationError],
  ["invalid_request_error", GradientError.BadRequestError]
])

const answerOfStatus = (status: number, { code, type }: ErrorBody): Answer => {
  if (status < 400) return GradientError.InvalidResponseError
  if (status >= 500) return GradientError.InternalServerError
  const other = hasRow(status) ? byStatus[status] : GradientError.BadRequestError
  return byClearCode.get(code) ?? byClearCode.get(type) ?? other
}

/** The reason of an answer that is not a 200, from its head and the text of its body. `now` in milliseconds. */
export const reasonOfAnswer = (
  response: HttpClientResponse.HttpClientResponse,
  text: string,
  now: number
): GradientError.GradientErrorReason => {
  const { headers, status } = response
  const { conceal, facts } = factsOf(response)
  const body = parseErrorBody(text, conceal)
  const Reason = answerOfStatus(status, body)
  return new Reason({
    retryAfter: retryAfterOf(headers, now),
    shouldRetry: headers["x-should-retry"] === "true" || (headers["x-should-retry"] === "false" ? false : undefined),
    ...(Reason === GradientError.RateLimitError ? rateLimitOf(headers, now) : {}),
    ...body,
    ...facts,
    description:
      status < 400
        ? `a redirect to ${conceal(UrlParams.redactUrl(headers["location"] ?? "nowhere"))}, which is not followed`
        : body.description,
    requestId: facts.requestId ?? body.requestId,
    progress: "Refused"
  })
}

/** The reason of an error object within a body whose status was 200. */
export const reasonOfErrorObject = (
  value: unknown,
  facts: Facts,
  images: ReadonlyArray<GeneratedImage>
): GradientError.GradientErrorReason => {
  const body = errorBodyOf(value) ?? { description: "no more is said" }
  const Reason = byCode.get(body.code) ?? byCode.get(body.type) ?? GradientError.InternalServerError
  return new Reason({ ...body, ...facts, requestId: facts.requestId ?? body.requestId, images, progress: "Accepted" })
}
