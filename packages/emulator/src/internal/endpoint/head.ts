/** The headers that every reply has: request id, rate limits, and that this is not the real service. */
import * as Clock from "effect/Clock"
import * as Effect from "effect/Effect"

const minute = 60_000
const day = 24 * 60 * minute

/** Reported, and not enforced. The real limits differ by account. */
const limits = [
  { name: "requests", limit: 250, millis: minute },
  { name: "tokens-per-minute", limit: 1_000_000, millis: minute },
  { name: "tokens-per-day", limit: 100_000_000, millis: day }
] as const

/** Counts what is used of a limit, anew in each of its windows. */
const makeMeter = ({ limit, millis, name }: (typeof limits)[number]) => {
  let window = 0
  let used = 0
  const add = (now: number, amount: number) => {
    const current = Math.floor(now / millis)
    if (current !== window) used = 0
    window = current
    used += amount
  }
  /** The reset is in Unix seconds; 0 means that no wait is foreseen. */
  const headers = (): ReadonlyArray<readonly [name: string, value: string]> => [
    [`x-ratelimit-limit-${name}`, String(limit)],
    [`x-ratelimit-remaining-${name}`, String(Math.max(0, limit - used))],
    [`x-ratelimit-reset-${name}`, used < limit ? "0" : String(((window + 1) * millis) / 1000)]
  ]
  return { add, headers, isOfTokens: name !== "requests" }
}

/** Of one emulator: counts requests and tokens, and gives the headers of a reply. */
export const make = () => {
  const meters = limits.map(makeMeter)
  const count = (tokens: number, requests: number) =>
    Effect.map(Clock.currentTimeMillis, (now) => {
      for (const meter of meters) meter.add(now, meter.isOfTokens ? tokens : requests)
    })
  return {
    countRequest: count(0, 1),
    countTokens: (tokens: number) => count(tokens, 0),
    headers: (id: string): Readonly<Record<string, string>> => ({
      "x-request-id": id,
      "x-emulated": "true",
      ...Object.fromEntries(meters.flatMap((meter) => meter.headers()))
    })
  }
}

/** A new request id. */
export const nextId = Effect.sync(() => `req_${crypto.randomUUID().replaceAll("-", "")}`)
