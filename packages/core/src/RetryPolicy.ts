/**
 * When to retry. The default, `chargeSafe`, retries only after failures that cannot have been charged for.
 *
 * Some rules hold under every policy. `x-should-retry: false` ends the retries. A wait that the service asks for replaces
 * the delay of the schedule: `retry-after-ms`, else `retry-after`, else, after a 429, the soonest reset of its rate limit.
 * A wait of more than a minute ends the retries, and the error carries it. A stream is retried only before its first
 * event.
 */
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as Random from "effect/Random"
import * as Schedule from "effect/Schedule"
import type { GradientErrorReason } from "./GradientError.ts"

/** @category models */
export interface RetryPolicy {
  /** Whether to retry after this failure. */
  readonly while: (reason: GradientErrorReason) => boolean
  /** How often to retry, and after how long. */
  readonly schedule: Schedule.Schedule<unknown, GradientErrorReason>
}

/** Twice, after 0.5 s and then twice as long each time, up to 8 s, less up to 25 % at random. */
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
 */
export const chargeSafe: RetryPolicy = {
  while: (reason) => reason.isRetryable && !reason.mayHaveBeenCharged,
  schedule: backoff
}

/**
 * Also retries temporary failures that may have been charged for, as other clients do: one call can be charged for up to
 * three times. A failure that carries an image is not retried: the image was paid for, and is in `reason.images`.
 *
 * @category policies
 */
export const eager: RetryPolicy = {
  while: (reason) => reason.isRetryable && reason.images.length === 0,
  schedule: backoff
}

/**
 * Never retries.
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
