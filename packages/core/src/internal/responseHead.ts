/**
 * Reads the head of a response: its request id, its rate limit, and the wait before a retry. Also writes a request id
 * and a rate limit as headers.
 */
import * as DateTime from "effect/DateTime"
import * as Duration from "effect/Duration"
import * as Headers from "effect/http/Headers"
import type * as HttpClientResponse from "effect/http/HttpClientResponse"
import * as Option from "effect/Option"
import * as Result from "effect/Result"
import { headerNames, type RateLimit, type Window } from "../RateLimit.ts"
import { redactHeaders, redactText } from "./redaction.ts"

const number = (text: string | undefined): number | undefined => {
  const value = text === undefined || text.trim() === "" ? Number.NaN : Number(text)
  return Number.isFinite(value) ? value : undefined
}

const units: Readonly<Record<string, number>> = { ms: 1, s: 1000, m: 60_000, h: 3_600_000, d: 86_400_000 }

/**
 * Converts an interval such as `1h2m3s` or `250ms` to milliseconds. Some servers other than DigitalOcean's send the
 * time until a reset in this form.
 */
const interval = (text: string): number | undefined => {
  if (!/^(?:\d{1,9}(?:\.\d{1,9})?(?:ms|[dhms]))+$/.test(text.slice(0, 64))) return undefined
  const parts = text.match(/[\d.]+[a-z]+/g) ?? []
  return parts.reduce((millis, part) => millis + Number.parseFloat(part) * (units[part.replace(/[\d.]+/, "")] ?? 0), 0)
}

const yearMillis = 366 * 86_400_000

/**
 * Converts the number in a reset header to Unix milliseconds. The number is taken as Unix seconds, or as Unix
 * milliseconds if it is 1e11 or more. If that time is more than a year ago, the number is taken as the time from now
 * instead.
 */
const unixMillis = (seconds: number, now: number): number => {
  const millis = seconds < 1e11 ? seconds * 1000 : seconds
  return millis < now - yearMillis ? now + millis : millis
}

/**
 * The time of a limit's reset. `undefined` if it cannot be read, and for 0, which the service sends if no wait is
 * needed.
 */
const resetOf = (text: string | undefined, now: number): DateTime.Utc | undefined => {
  const seconds = number(text)
  if (text === undefined || seconds === 0) return undefined
  const wait = interval(text.trim())
  const millis = seconds !== undefined ? unixMillis(seconds, now) : wait !== undefined ? now + wait : undefined
  return millis === undefined ? undefined : Option.getOrUndefined(DateTime.make(millis))
}

/** Reads one limit from its three headers. `undefined` if none of the three can be read. */
const windowOf = (headers: Headers.Headers, nameOf: (field: string) => string, now: number): Window | undefined => {
  const limit = number(headers[nameOf("limit")])
  const remaining = number(headers[nameOf("remaining")])
  const resetAt = resetOf(headers[nameOf("reset")], now)
  return limit === undefined && remaining === undefined && resetAt === undefined
    ? undefined
    : { limit, remaining, resetAt }
}

/** Reads the rate limit from the headers. `undefined` if none can be read. `now` is in milliseconds since 1970. */
export const rateLimitOf = (headers: Headers.Headers, now: number): RateLimit | undefined => {
  const { controlPlane, requests, ...tokens } = headerNames
  const ofRequests = windowOf(headers, requests, now) ?? windowOf(headers, controlPlane, now)
  const tokensPerMinute = windowOf(headers, tokens.tokensPerMinute, now)
  const tokensPerDay = windowOf(headers, tokens.tokensPerDay, now)
  if (ofRequests === undefined && tokensPerMinute === undefined && tokensPerDay === undefined) return undefined
  return { ...ofRequests, tokensPerMinute, tokensPerDay }
}

/** Writes one limit as the three headers that the service sends. */
const windowHeaders = (window: Window | undefined, nameOf: (field: string) => string) => ({
  [nameOf("limit")]: window?.limit,
  [nameOf("remaining")]: window?.remaining,
  [nameOf("reset")]: window?.resetAt && DateTime.toEpochMillis(window.resetAt) / 1000
})

/** Writes a rate limit and a request id as the headers of a response. */
export const headersOf = ({
  rateLimit,
  requestId
}: {
  readonly rateLimit?: RateLimit | undefined
  readonly requestId?: string | undefined
}): Record<string, string> => {
  const headers: Record<string, string | number | undefined> = {
    "x-request-id": requestId,
    ...windowHeaders(rateLimit, headerNames.requests),
    ...windowHeaders(rateLimit?.tokensPerMinute, headerNames.tokensPerMinute),
    ...windowHeaders(rateLimit?.tokensPerDay, headerNames.tokensPerDay)
  }
  return Object.fromEntries(
    Object.entries(headers).flatMap(([name, value]) => (value === undefined ? [] : [[name, String(value)]]))
  )
}

/**
 * Matches seconds with a fraction. The HTTP standard does not allow a fraction in `retry-after`, but some servers send
 * one.
 */
const fractional = /^\s*\d{0,15}\.\d+\s*$/

/** The wait before a retry that the service asks for. */
export const retryAfterOf = (headers: Headers.Headers, now: number): Duration.Duration | undefined => {
  const millis = number(headers["retry-after-ms"])
  if (millis !== undefined && millis >= 0) return Duration.millis(millis)
  const text = headers["retry-after"]
  if (text === undefined) return undefined
  if (fractional.test(text)) return Duration.millis(Math.ceil(Number(text) * 1000))
  const parsed = Headers.parseRetryAfter(text)
  return Result.isSuccess(parsed) ? Headers.retryAfterDelay(parsed.success, now) : undefined
}

/**
 * The headers, the request id and the status of a response, as fields of a reason, and a function that redacts the
 * secrets of the request.
 */
export const readHead = ({ headers, request, status }: HttpClientResponse.HttpClientResponse) => {
  const redact = redactText(request.headers)
  const shown = redactHeaders(headers, redact)
  // In a browser, fetch reports the status 0 for a redirect that it does not follow. The reason then has no status.
  return { redact, fields: { headers: shown, requestId: shown["x-request-id"], status: status || undefined } }
}

export type HeadFields = ReturnType<typeof readHead>["fields"]
