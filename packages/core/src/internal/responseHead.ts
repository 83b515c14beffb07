/**
 * What the head of a response says: request id, rate limit, retry advice.
 */
import * as DateTime from "effect/DateTime"
import * as Duration from "effect/Duration"
import * as Headers from "effect/http/Headers"
import type * as HttpClientResponse from "effect/http/HttpClientResponse"
import * as Option from "effect/Option"
import * as Result from "effect/Result"
import type { RateLimit } from "../RateLimit.ts"
import { concealing, secretName } from "./redaction.ts"

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

export const retryAfterOf = (headers: Headers.Headers, now: number): Duration.Duration | undefined => {
  const millis = number(headers["retry-after-ms"])
  if (millis !== undefined && millis >= 0) return Duration.millis(millis)
  const text = headers["retry-after"]
  if (text === undefined) return undefined
  const parsed = Headers.parseRetryAfter(text)
  return Result.isSuccess(parsed) ? Headers.retryAfterDelay(parsed.success, now) : undefined
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
