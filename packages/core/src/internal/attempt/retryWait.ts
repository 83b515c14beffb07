/**
 * The service's own rules for retries. They apply under every policy.
 */
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

/** The wait for a reset that seems to be in the past, because clocks differ. */
const shortestWaitMillis = 1000

/** The time until the soonest reset of a limit, in milliseconds. The provider asks clients to wait for it after a 429. */
const untilReset = (reason: GradientErrorReason, now: number): number | undefined => {
  const reset = reason._tag === "RateLimitError" ? nextReset(reason) : undefined
  return reset === undefined ? undefined : Math.max(shortestWaitMillis, DateTime.toEpochMillis(reset) - now)
}

/** Whether the service allows a retry within a minute. */
export const isAllowed = (reason: GradientErrorReason): Effect.Effect<boolean> =>
  Effect.map(Clock.currentTimeMillis, (now) => {
    const wait = reason.retryAfter === undefined ? untilReset(reason, now) : Duration.toMillis(reason.retryAfter)
    return reason.shouldRetry !== false && (wait ?? 0) <= longestWaitMillis
  })

/**
 * Replaces the delays of the schedule with the wait that the service asks for. To a wait for a reset it adds 250 to 500 ms
 * at random, because all clients wait for the same reset.
 */
export const withServiceDelays = (schedule: RetryPolicy["schedule"]): RetryPolicy["schedule"] =>
  Schedule.modifyDelay(schedule, ({ duration, input }) =>
    Effect.gen(function* () {
      if (input.retryAfter !== undefined) return input.retryAfter
      const wait = untilReset(input, yield* Clock.currentTimeMillis)
      return wait === undefined ? duration : Duration.millis(wait + (yield* Random.nextBetween(250, 500)))
    })
  )
