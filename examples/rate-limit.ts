import { Images } from "@effect-gradient/core"
import { Effect } from "effect"
import { RateLimiter } from "effect/persistence"

/** Fails with a `RateLimiterError` if the limit of this minute is used up. With `onExceeded: "delay"` it waits. */
export const generate = Effect.fn(function* (prompt: string, limit: number) {
  const withLimiter = yield* RateLimiter.makeWithRateLimiter
  return yield* Images.generate({ prompt }).pipe(
    withLimiter({ key: "gradient", limit, window: "1 minute", onExceeded: "fail" })
  )
})
