/**
 * When to ask again. The default, `chargeSafe`, asks again only after failures that cannot have been charged for.
 *
 * Whatever the policy, the service's word holds: `x-should-retry: false` ends it, a `retry-after` of up to a minute
 * takes the place of the schedule's delay, and a longer one ends it, with the error carrying it. A stream is retried
 * only before its first event.
 */
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as Random from "effect/Random"
import * as Schedule from "effect/Schedule"
import type { GradientErrorReason } from "./GradientError.ts"

/** @category models */
export interface RetryPolicy {
  /** Which failures to ask again after. */
  readonly while: (reason: GradientErrorReason) => boolean
  /** How often and after how long. */
  readonly schedule: Schedule.Schedule<unknown, GradientErrorReason>
}

const longestWaitSeconds = 60

/** Twice, after 0.5 s and then twice as long each time, up to 8 s, less up to 25 % at random. */
const backoff: RetryPolicy["schedule"] = Schedule.exponential("500 millis").pipe(
  Schedule.upTo({ times: 2 }),
  Schedule.modifyDelay(({ duration }) =>
    Effect.map(Random.next, (random) => Duration.millis(Math.min(Duration.toMillis(duration), 8000) * (1 - random / 4)))
  )
)

/**
 * Asks again only where no image can exist: after `RateLimitError`, `ConnectionError`, `ConflictError`, 408, 503 with
 * `retry-after`, and a connect timeout. One call never causes more than one paid generation.
 *
 * @category policies
 */
export const chargeSafe: RetryPolicy = {
  while: (reason) => reason.isRetryable && !reason.mayHaveBeenCharged,
  schedule: backoff
}

/**
 * Asks again after whatever can pass, as other clients do: one call can be charged for up to three times.
 *
 * @category policies
 */
export const eager: RetryPolicy = { while: (reason) => reason.isRetryable, schedule: backoff }

/**
 * Never asks again.
 *
 * @category policies
 */
export const none: RetryPolicy = { while: () => false, schedule: backoff }

/**
 * A policy from a policy or from a bare schedule, which keeps the `while` of `chargeSafe`.
 *
 * @category constructors
 */
export const make = (policy: RetryPolicy | RetryPolicy["schedule"]): RetryPolicy =>
  Schedule.isSchedule(policy) ? { while: chargeSafe.while, schedule: policy } : policy

/** Whether the service's own word allows another attempt. */
export const isAllowed = ({ retryAfter, shouldRetry }: GradientErrorReason): boolean =>
  shouldRetry !== false && (retryAfter === undefined || Duration.toSeconds(retryAfter) <= longestWaitSeconds)

/** The schedule, with the service's `retry-after` in place of its delay. */
export const obeying = (schedule: RetryPolicy["schedule"]): RetryPolicy["schedule"] =>
  Schedule.modifyDelay(schedule, ({ duration, input }) => Effect.succeed(input.retryAfter ?? duration))
