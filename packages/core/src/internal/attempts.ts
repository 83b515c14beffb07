/**
 * One call: its attempts, each a span, one after another as the policy says.
 */
import * as Clock from "effect/Clock"
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as GradientError from "../GradientError.ts"
import type { RetryPolicy } from "../RetryPolicy.ts"
import { isAllowed, obeying } from "./retryWait.ts"

/** Tries until it succeeds or the policy ends it. What each failed attempt met goes to `met`, and into the error. */
export const attempts = <A, R>(
  attempt: Effect.Effect<A, GradientError.GradientErrorReason, R>,
  policy: RetryPolicy,
  met: Array<GradientError.Attempt> = []
): Effect.Effect<A, GradientError.GradientError, R> =>
  Effect.suspend(() => {
    const recorded = Effect.gen(function* () {
      const start = yield* Clock.currentTimeMillis
      return yield* attempt.pipe(
        Effect.tapError((reason) =>
          Effect.map(Clock.currentTimeMillis, (now) => met.push({ reason, elapsed: Duration.millis(now - start) }))
        ),
        Effect.withSpan("Images.attempt", { attributes: { attempt: met.length + 1 } })
      )
    })
    return recorded.pipe(
      Effect.retry({
        while: (reason) => Effect.map(isAllowed(reason), (allowed) => allowed && policy.while(reason)),
        schedule: obeying(policy.schedule)
      }),
      Effect.mapError((reason) => GradientError.fromReason(reason, met))
    )
  })
