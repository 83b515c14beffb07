/** The headers of every reply except that of `GET /emulator/ledger`: request id, rate limits, and `x-emulated`. */
import { RateLimit } from "@effect-gradient/core"
import * as Clock from "effect/Clock"
import * as Effect from "effect/Effect"

/**
 * Makes the headers of a rate limit, as the provider writes them. `reset` is a time in Unix seconds; 0 means that the
 * client need not wait. `limit` is optional, because the fault `status` sets only `remaining` and `reset`.
 */
export const rateLimitHeaders = (
  nameOf: (field: string) => string,
  fields: { readonly limit?: number; readonly remaining: number; readonly reset: number }
): Readonly<Record<string, string>> =>
  Object.fromEntries(Object.entries(fields).map(([field, value]) => [nameOf(field), String(value)]))

const minute = 60_000
const day = 24 * 60 * minute

/** The limits that the headers report. The emulator does not enforce them. The real limits differ by account. */
const limits = [
  { name: "requests", limit: 250, millis: minute },
  { name: "tokensPerMinute", limit: 1_000_000, millis: minute },
  { name: "tokensPerDay", limit: 100_000_000, millis: day }
] as const

/** Makes a counter for the use of a limit. It begins at 0 in each window of time. */
const makeMeter = ({ limit, millis, name }: (typeof limits)[number]) => {
  let window = 0
  let used = 0
  const add = (now: number, amount: number) => {
    const current = Math.floor(now / millis)
    if (current !== window) used = 0
    window = current
    used += amount
  }
  const headers = () =>
    rateLimitHeaders(RateLimit.headerNames[name], {
      limit,
      remaining: Math.max(0, limit - used),
      reset: used < limit ? 0 : ((window + 1) * millis) / 1000
    })
  return { add, headers, countsTokens: name !== "requests" }
}

/** Makes the functions of one emulator that count requests and tokens, and return the headers of a reply. */
export const makeCommonHeaders = () => {
  const meters = limits.map(makeMeter)
  const count = (tokens: number, requests: number) =>
    Effect.map(Clock.currentTimeMillis, (now) => {
      for (const meter of meters) meter.add(now, meter.countsTokens ? tokens : requests)
    })
  return {
    countRequest: count(0, 1),
    countTokens: (tokens: number) => count(tokens, 0),
    headers: (id: string): Readonly<Record<string, string>> => ({
      "x-request-id": id,
      "x-emulated": "true",
      ...Object.fromEntries(meters.flatMap((meter) => Object.entries(meter.headers())))
    })
  }
}

export const makeRequestId = Effect.sync(() => `req_${crypto.randomUUID().replaceAll("-", "")}`)
