import { Images } from "@effect-gradient/core"
import { Effect } from "effect"
import { RateLimiter } from "effect/persistence"

/** Fails at once with a `RateLimiterError` where a minute has had its share; `onExceeded: "delay"` waits. */
export const generate = Effect.fn(function* (prompt: string, limit: number) {
  const withLimiter = yield* RateLimiter.makeWithRateLimiter
  return yield* Images.generate({ prompt }).pipe(
    withLimiter({ key: "gradient", limit, window: "1 minute", onExceeded: "fail" })
  )
})
