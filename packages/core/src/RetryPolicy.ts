/**
 * When to retry. The default, `chargeSafe`, retries only after failures that cannot have been charged for.
 *
 * These rules apply to every policy:
 *
 * - The header `x-should-retry: false` stops retries.
 * - If the service asks for a wait, that wait replaces the delay of the schedule. It is in the header `retry-after-ms`, else
 *   `retry-after`. After a 429 without these, it is the time until the soonest reset of the rate limit.
 * - A wait of more than a minute stops retries. The error has it as `retryAfter`, or as the reset of the rate limit.
 * - A stream is retried only before its first event.
 */
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as Random from "effect/Random"
import * as Schedule from "effect/Schedule"
import type { GradientErrorReason } from "./GradientError.ts"

/**
 * @category models
 * @since 0.1.0
 */
export interface RetryPolicy {
  /** Whether to retry after this failure. */
  readonly while: (reason: GradientErrorReason) => boolean
  /** How often to retry, and after how long. */
  readonly schedule: Schedule.Schedule<unknown, GradientErrorReason>
}

/** At most 2 retries, after 0.5 s and 1 s, each shortened at random by up to 25 %. */
const backoff: RetryPolicy["schedule"] = Schedule.exponential("500 millis").pipe(
  Schedule.upTo({ times: 2 }),
  Schedule.modifyDelay(({ duration }) =>
    Effect.map(Random.next, (random) => Duration.millis(Math.min(Duration.toMillis(duration), 8000) * (1 - random / 4)))
  )
)

/**
 * Retries only if no image can have been generated: after `RateLimitError`, `ConnectionError`, `ConflictError`, 408, 503
 * with `retry-after`, and a connect timeout. One call never causes more than one paid generation.
 *
 * @category policies
 * @since 0.1.0
 */
export const chargeSafe: RetryPolicy = {
  while: (reason) => reason.isRetryable && !reason.mayHaveBeenCharged,
  schedule: backoff
}

/**
 * Also retries temporary failures that may have been charged for, as other clients do. One call can be charged for up to
 * three times. A failure that carries an image is not retried: the image is paid for, and is in `reason.images`.
 *
 * @category policies
 * @since 0.1.0
 */
export const eager: RetryPolicy = {
  while: (reason) => reason.isRetryable && reason.images.length === 0,
  schedule: backoff
}

/**
 * Never retries.
 *
 * @category policies
 * @since 0.1.0
 */
export const none: RetryPolicy = { while: () => false, schedule: backoff }

/**
 * Makes a policy from a schedule, with the `while` of `chargeSafe`. If the argument is a policy, it is returned
 * unchanged.
 *
 * @category constructors
 * @since 0.1.0
 */
export const make = (policy: RetryPolicy | RetryPolicy["schedule"]): RetryPolicy =>
  Schedule.isSchedule(policy) ? { while: chargeSafe.while, schedule: policy } : policy
