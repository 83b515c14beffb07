/**
 * When to retry a failed attempt. The default policy, `chargeSafe`, retries only after failures that cannot have been
 * charged for.
 *
 * These rules apply to every policy:
 *
 * - The header `x-should-retry: false` of an error response stops retries. With `true`, the failure counts as
 *   temporary.
 * - If the service asks for a wait, that wait replaces the delay of the schedule. The service asks with the header
 *   `retry-after-ms`, else with `retry-after`. After a 429 without these headers, the wait is the time until the first
 *   rate limit is reset, if the reply names that time, and a little more.
 * - If the wait is longer than a minute, the call fails instead. The wait is in the error, as `retryAfter` or as the
 *   reset of a rate limit.
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
  /** How many retries there are, and the delay before each. */
  readonly schedule: Schedule.Schedule<unknown, GradientErrorReason>
}

/** At most 2 retries, after 0.5 s and 1 s. Each delay is shortened at random by up to 25 %. */
const backoff: RetryPolicy["schedule"] = Schedule.exponential("500 millis").pipe(
  Schedule.upTo({ times: 2 }),
  Schedule.modifyDelay(({ duration }) =>
    Effect.map(Random.next, (random) => Duration.millis(Math.min(Duration.toMillis(duration), 8000) * (1 - random / 4)))
  )
)

/**
 * Retries after a temporary failure, but only if `mayHaveBeenCharged` is false: for example after `ConnectionError`, a
 * timeout while connecting, or status 408, 409, 429, or 503 with `retry-after`. So these retries do not cause a second
 * charge for a call, unless `transformClient` repeats requests.
 *
 * @category policies
 * @since 0.1.0
 */
export const chargeSafe: RetryPolicy = {
  while: (reason) => reason.isRetryable && !reason.mayHaveBeenCharged,
  schedule: backoff
}

/**
 * Retries after a temporary failure even if it may have been charged for, as other clients do. So one call can be
 * charged for up to three times. A failure with an image in `reason.images` is not retried, because that image is paid
 * for.
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
 * Makes a policy that retries after the same failures as `chargeSafe`, with the delays of this schedule. If a policy is
 * passed in, it is returned unchanged.
 *
 * @category constructors
 * @since 0.1.0
 */
export const make = (policy: RetryPolicy | RetryPolicy["schedule"]): RetryPolicy =>
  Schedule.isSchedule(policy) ? { while: chargeSafe.while, schedule: policy } : policy
