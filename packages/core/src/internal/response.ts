/**
 * What the head of a response says: request id, rate limit, retry advice; and what an error's head and body come to.
 */
import * as DateTime from "effect/DateTime"
import * as Duration from "effect/Duration"
import * as Headers from "effect/http/Headers"
import type * as HttpClientResponse from "effect/http/HttpClientResponse"
import * as UrlParams from "effect/http/UrlParams"
import * as Option from "effect/Option"
import * as Predicate from "effect/Predicate"
import * as Result from "effect/Result"
import * as GradientError from "../GradientError.ts"
import type { GeneratedImage, RateLimit } from "../ImageGenerateResponse.ts"
import { property } from "./property.ts"

const number = (text: string | undefined): number | undefined => {
  const value = text === undefined || text.trim() === "" ? Number.NaN : Number(text)
  return Number.isFinite(value) ? value : undefined
}

const units: Readonly<Record<string, number>> = { ms: 1, s: 1000, m: 60_000, h: 3_600_000 }

/** `1h2m3s`, `250ms`: how compatible servers tell the time until a limit starts anew. */
const interval = (text: string | undefined): number | undefined => {
  const parts = text?.slice(0, 40).match(/[\d.]+(ms|h|m|s)/g)
  return parts?.reduce((millis, part) => millis + Number.parseFloat(part) * (units[part.replace(/[\d.]+/, "")] ?? 0), 0)
}

/** `undefined` where no such header is there. `now` in milliseconds. */
export const rateLimitOf = (headers: Headers.Headers, now: number): RateLimit | undefined => {
  const limit = number(headers["ratelimit-limit"] ?? headers["x-ratelimit-limit-requests"])
  const remaining = number(headers["ratelimit-remaining"] ?? headers["x-ratelimit-remaining-requests"])
  const seconds = number(headers["ratelimit-reset"])
  const wait = interval(headers["x-ratelimit-reset-requests"])
  const reset = seconds !== undefined ? seconds * 1000 : wait !== undefined ? now + wait : undefined
  const resetAt = reset === undefined ? undefined : Option.getOrUndefined(DateTime.make(reset))
  if (limit === undefined && remaining === undefined && resetAt === undefined) return undefined
  return { limit, remaining, resetAt }
}

const retryAfterOf = (headers: Headers.Headers, now: number): Duration.Duration | undefined => {
  const millis = number(headers["retry-after-ms"])
  if (millis !== undefined && millis >= 0) return Duration.millis(millis)
  const text = headers["retry-after"]
  if (text === undefined) return undefined
  const parsed = Headers.parseRetryAfter(text)
  return Result.isSuccess(parsed) ? Headers.retryAfterDelay(parsed.success, now) : undefined
}

/** Secrets can be in any header that was added, so more names are redacted than usual. */
export const secretName = /auth|cookie|key|secret|token|credential|signature/i

/** Takes out of a text what was sent as a secret: some services repeat a key that they refuse. */
const concealing = (sent: Headers.Headers) => {
  const secrets = Object.entries(sent)
    .filter(([name]) => secretName.test(name) && name !== "idempotency-key")
    .map(([, value]) => value.replace(/^\w+ /, ""))
    .filter(({ length }) => length > 7) // A shorter one stands in texts by chance.
  return (text: string) => secrets.reduce((shown, secret) => shown.replaceAll(secret, "***"), text)
}

/** What every reason says of its response; and what takes the secrets of its request out of a text. */
export const factsOf = ({ headers, request, status }: HttpClientResponse.HttpClientResponse) => {
  const conceal = concealing(request.headers)
  const shown = Object.fromEntries(
    Object.entries(headers).map(([name, value]) => [name, secretName.test(name) ? "<redacted>" : conceal(value)])
  )
  // Fetch gives the status of a redirect as 0.
  return { conceal, facts: { headers: shown, requestId: shown["x-request-id"], status: status || undefined } }
}

export type Facts = ReturnType<typeof factsOf>["facts"]

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
