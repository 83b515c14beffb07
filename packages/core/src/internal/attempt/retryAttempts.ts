/**
 * Runs the attempts of a call one after another, by the retry policy. Before each retry, the failed attempt is logged,
 * added to the call's span as an event, and passed to `onRetry`.
 */
import * as Clock from "effect/Clock"
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as Option from "effect/Option"
import * as Pull from "effect/Pull"
import * as Result from "effect/Result"
import * as Schedule from "effect/Schedule"
import * as GradientError from "../../GradientError.ts"
import type { RetryPolicy } from "../../RetryPolicy.ts"
import type { RetryEvent } from "../request/options.ts"
import { isAllowed, withServiceDelays } from "./retryWait.ts"
import type { Counter } from "./OpenAttempt.ts"

export interface RetryOptions {
  readonly retry: RetryPolicy
  readonly onRetry?: ((event: RetryEvent) => Effect.Effect<void>) | undefined
}

/**
 * The attempts of a call so far: how many there were, and the failed ones. A request that a transform repeated is a
 * failed attempt.
 */
export class AttemptLog implements Counter {
  count = 0
  readonly failed: Array<GradientError.FailedAttempt> = []
}

/**
 * Runs attempts until one succeeds, or until the policy or the service forbids a retry. The error of the call lists the
 * failed attempts.
 */
export const retryAttempts = Effect.fnUntraced(function* <A, R>(
  attempt: Effect.Effect<A, GradientError.GradientErrorReason, R>,
  { onRetry, retry: policy }: RetryOptions,
  attempts: AttemptLog
) {
  let nextDelay:
    | ((reason: GradientError.GradientErrorReason) => Effect.Effect<Option.Option<Duration.Duration>>)
    | undefined
  while (true) {
    const start = yield* Clock.currentTimeMillis
    const failedBefore = attempts.failed.length
    const result = yield* Effect.result(attempt)
    if (Result.isSuccess(result)) return result.success
    const reason = result.failure
    const repeated = attempts.failed.slice(failedBefore)
    const earlier = repeated.reduce((sum, { elapsed }) => sum + Duration.toMillis(elapsed), 0)
    attempts.failed.push({ reason, elapsed: Duration.millis((yield* Clock.currentTimeMillis) - start - earlier) })
    nextDelay ??= yield* delays(policy) // Created only after the first failure, because most calls never retry.
    // The policy also decides about the requests that a transform repeated, if they may have been charged for.
    const charged = repeated.flatMap(({ reason: earlierReason }) =>
      earlierReason.mayHaveBeenCharged ? [earlierReason] : []
    )
    const isRetried = (yield* isAllowed(reason)) && [...charged, reason].every(policy.while)
    const delay = isRetried ? yield* nextDelay(reason) : Option.none()
    if (Option.isNone(delay)) return yield* Effect.fail(GradientError.fromReason(reason, attempts.failed))
    yield* announce({ reason, attempt: attempts.count, delay: delay.value }, onRetry)
    yield* Effect.sleep(delay.value)
  }
})

/**
 * Returns a function that takes the reason of a failure and returns the delay that the service or else the schedule
 * gives, or `None` if the schedule has ended.
 */
const delays = ({ schedule }: RetryPolicy) =>
  Effect.map(
    Schedule.toStep(withServiceDelays(schedule)),
    (step) => (reason: GradientError.GradientErrorReason) =>
      Effect.flatMap(Clock.currentTimeMillis, (now) =>
        Pull.catchDone(
          Effect.map(step(now, reason), ([, delay]) => Option.some(wholeMillis(delay))),
          () => Effect.succeed(Option.none<Duration.Duration>())
        )
      )
  )

/**
 * Rounds a delay up to whole milliseconds. Random delays have fractions, which timers ignore but `Duration.format`
 * prints.
 */
const wholeMillis = (delay: Duration.Duration) => Duration.millis(Math.ceil(Duration.toMillis(delay)))

const announce = Effect.fnUntraced(function* (event: RetryEvent, onRetry: RetryOptions["onRetry"]) {
  const { attempt, delay, reason } = event
  const seconds = Duration.toSeconds(delay)
  const rounded = Math.ceil(seconds * 10) / 10
  const why = reason.description === undefined ? reason.summary : `${reason.summary}: ${reason.description}`
  yield* Effect.logWarning(`Attempt ${attempt} failed; retrying in ${rounded} s. ${why}`)
  const span = yield* Effect.option(Effect.currentSpan)
  const now = yield* Clock.currentTimeNanos
  if (Option.isSome(span)) span.value.event("retry", now, { attempt, reason: reason._tag, delaySeconds: seconds })
  if (onRetry !== undefined) yield* onRetry(event)
})
