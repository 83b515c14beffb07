/**
 * Reads the head of a response: request id, rate limit, and the wait before a retry.
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

/** Milliseconds of an interval such as `1h2m3s` or `250ms`, which other servers send as the time until the reset. */
const interval = (text: string): number | undefined => {
  if (!/^(?:\d{1,9}(?:\.\d{1,9})?(?:ms|[dhms]))+$/.test(text.slice(0, 64))) return undefined
  const parts = text.match(/[\d.]+[a-z]+/g) ?? []
  return parts.reduce((millis, part) => millis + Number.parseFloat(part) * (units[part.replace(/[\d.]+/, "")] ?? 0), 0)
}

const yearMillis = 366 * 86_400_000

/** Unix seconds as milliseconds. A time more than a year ago is read as seconds from now, a huge one as milliseconds. */
const unixMillis = (seconds: number, now: number): number => {
  const millis = seconds < 1e11 ? seconds * 1000 : seconds
  return millis < now - yearMillis ? now + millis : millis
}

/** When a limit is reset. The service sends 0 if no wait is needed. */
const resetOf = (text: string | undefined, now: number): DateTime.Utc | undefined => {
  const seconds = number(text)
  if (text === undefined || seconds === 0) return undefined
  const wait = interval(text.trim())
  const millis = seconds !== undefined ? unixMillis(seconds, now) : wait !== undefined ? now + wait : undefined
  return millis === undefined ? undefined : Option.getOrUndefined(DateTime.make(millis))
}

/** A limit from its three headers; `undefined` if none of them can be read. */
const windowOf = (headers: Headers.Headers, nameOf: (field: string) => string, now: number): Window | undefined => {
  const limit = number(headers[nameOf("limit")])
  const remaining = number(headers[nameOf("remaining")])
  const resetAt = resetOf(headers[nameOf("reset")], now)
  return limit === undefined && remaining === undefined && resetAt === undefined
    ? undefined
    : { limit, remaining, resetAt }
}

/** The rate limit from the headers; `undefined` if they have none. `now` is in milliseconds. */
export const rateLimitOf = (headers: Headers.Headers, now: number): RateLimit | undefined => {
  const { controlPlane, requests, ...tokens } = headerNames
  const ofRequests = windowOf(headers, requests, now) ?? windowOf(headers, controlPlane, now)
  const tokensPerMinute = windowOf(headers, tokens.tokensPerMinute, now)
  const tokensPerDay = windowOf(headers, tokens.tokensPerDay, now)
  if (ofRequests === undefined && tokensPerMinute === undefined && tokensPerDay === undefined) return undefined
  return { ...ofRequests, tokensPerMinute, tokensPerDay }
}

/** The headers of one limit, as the service sends them. */
const windowHeaders = (window: Window | undefined, nameOf: (field: string) => string) => ({
  [nameOf("limit")]: window?.limit,
  [nameOf("remaining")]: window?.remaining,
  [nameOf("reset")]: window?.resetAt && DateTime.toEpochMillis(window.resetAt) / 1000
})

/** The headers from which these values would be read. */
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

/** Seconds with a fraction: not in the standard, but some servers send them. */
const fractional = /^\s*\d{0,15}\.\d+\s*$/

/** The wait that the service asks for. */
export const retryAfterOf = (headers: Headers.Headers, now: number): Duration.Duration | undefined => {
  const millis = number(headers["retry-after-ms"])
  if (millis !== undefined && millis >= 0) return Duration.millis(millis)
  const text = headers["retry-after"]
  if (text === undefined) return undefined
  if (fractional.test(text)) return Duration.millis(Math.ceil(Number(text) * 1000))
  const parsed = Headers.parseRetryAfter(text)
  return Result.isSuccess(parsed) ? Headers.retryAfterDelay(parsed.success, now) : undefined
}

/** The fields that every reason takes from its response, and the function that redacts the secrets of its request. */
export const readHead = ({ headers, request, status }: HttpClientResponse.HttpClientResponse) => {
  const redact = redactText(request.headers)
  const shown = redactHeaders(headers, redact)
  // For a redirect, fetch in a browser reports the status 0.
  return { redact, fields: { headers: shown, requestId: shown["x-request-id"], status: status || undefined } }
}

export type HeadFields = ReturnType<typeof readHead>["fields"]
