/**
 * How many images a caller may have: counted in Effect's `RateLimiter`.
 */
import * as Clock from "effect/Clock"
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as RateLimiter from "effect/persistence/RateLimiter"
import type { Caller } from "./api.ts"
import * as ApiError from "./ApiError.ts"

/** So many images of a caller, at most, in this time. */
interface Quota {
  readonly images: number
  readonly window: Duration.Input
}

/** Counts the images of a caller, so many in a window, and tells what is left in the headers of the API. */
export const makeQuota = Effect.fnUntraced(function* ({ images, window }: Quota) {
  const limiter = yield* RateLimiter.RateLimiter
  return Effect.fnUntraced(function* (caller: Caller, n: number) {
    const now = yield* Clock.currentTimeMillis
    const { limit, remaining, resetAfter } = yield* limiter
      .consume({ key: `ImagesGateway/${caller.id}`, tokens: n, limit: images, window })
      .pipe(Effect.mapError(overQuota))
    return {
      "ratelimit-limit": String(limit),
      "ratelimit-remaining": String(remaining),
      "ratelimit-reset": String(Math.ceil((now + Duration.toMillis(resetAfter)) / 1000))
    }
  })
})

const overQuota = ({ reason }: RateLimiter.RateLimiterError): ApiError.ApiError =>
  reason._tag === "RateLimitExceeded"
    ? ApiError.make(429, `Over the limit of ${reason.limit} images.`, {
        code: "rate_limit_exceeded",
        headers: { "retry-after": String(Math.ceil(Duration.toSeconds(reason.retryAfter))) }
      })
    : ApiError.make(503, "The gateway cannot count requests now.", { headers: { "retry-after": "1" } })
