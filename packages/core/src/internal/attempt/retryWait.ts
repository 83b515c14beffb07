/** Rules for retries that apply with every retry policy. */
import * as Clock from "effect/Clock"
import * as DateTime from "effect/DateTime"
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as Random from "effect/Random"
import * as Schedule from "effect/Schedule"
import type { GradientErrorReason } from "../../GradientError.ts"
import { nextReset } from "../../RateLimit.ts"
import type { RetryPolicy } from "../../RetryPolicy.ts"

const longestWaitMillis = 60_000

/** The shortest wait for the reset of a rate limit. The reset can seem to be in the past, because clocks differ. */
const shortestWaitMillis = 1000

/**
 * The milliseconds until the soonest reset of a rate limit, but at least 1,000. `undefined` if the failure is not a
 * `RateLimitError`, or has no reset. After a 429, the provider asks clients to wait for this reset.
 */
const untilReset = (reason: GradientErrorReason, now: number): number | undefined => {
  const reset = reason._tag === "RateLimitError" ? nextReset(reason) : undefined
  return reset === undefined ? undefined : Math.max(shortestWaitMillis, DateTime.toEpochMillis(reset) - now)
}

/** Whether a retry is allowed: `shouldRetry` is not false, and the wait that is asked for is at most one minute. */
export const isAllowed = (reason: GradientErrorReason): Effect.Effect<boolean> =>
  Effect.map(Clock.currentTimeMillis, (now) => {
    const wait = reason.retryAfter === undefined ? untilReset(reason, now) : Duration.toMillis(reason.retryAfter)
    return reason.shouldRetry !== false && (wait ?? 0) <= longestWaitMillis
  })

/**
 * Replaces a delay of the schedule with the wait that the service asks for, if it asks for one. If the wait is for the
 * reset of a rate limit, 250 to 500 ms are added at random, so that clients that wait for the same reset do not all
 * retry at once.
 */
export const withServiceDelays = (schedule: RetryPolicy["schedule"]): RetryPolicy["schedule"] =>
  Schedule.modifyDelay(schedule, ({ duration, input }) =>
    Effect.gen(function* () {
      if (input.retryAfter !== undefined) return input.retryAfter
      const wait = untilReset(input, yield* Clock.currentTimeMillis)
      return wait === undefined ? duration : Duration.millis(wait + (yield* Random.nextBetween(250, 500)))
    })
  )
