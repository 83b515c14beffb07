/**
 * Limits the images of each caller with Effect's `RateLimiter`.
 */
import { type Attempt, GradientError, RateLimit } from "@effect-gradient/core"
import * as Clock from "effect/Clock"
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as HttpEffect from "effect/http/HttpEffect"
import * as HttpServerRequest from "effect/http/HttpServerRequest"
import * as HttpServerResponse from "effect/http/HttpServerResponse"
import * as RateLimiter from "effect/persistence/RateLimiter"
import type { Caller } from "../ImagesApi.ts"

/** The maximum number of images of a caller within a window of time, on average. */
interface CallerLimit {
  readonly images: number
  readonly window: Duration.Input
}

const failure = ({ reason }: RateLimiter.RateLimiterError) =>
  reason._tag === "RateLimitExceeded"
    ? new GradientError.RateLimitError({
        reached: "NotSent",
        description: `the caller has a limit of ${reason.limit} images`,
        limit: reason.limit,
        retryAfter: reason.retryAfter
      })
    : new GradientError.ConnectionError({
        code: "rate_limiter_unreachable",
        description: `the rate limiter failed: ${reason.message}`,
        cause: reason
      })

export const rateLimitHeaders = {
  limit: RateLimit.headerNames.controlPlane("limit"),
  remaining: RateLimit.headerNames.controlPlane("remaining"),
  reset: RateLimit.headerNames.controlPlane("reset")
} as const

const headersOf = ({ limit, remaining, resetAfter }: RateLimiter.ConsumeResult, now: number) => ({
  [rateLimitHeaders.limit]: String(limit),
  [rateLimitHeaders.remaining]: String(remaining),
  [rateLimitHeaders.reset]: String(Math.ceil((now + Duration.toMillis(resetAfter)) / 1000))
})

const isUncharged = (outcome: Attempt.Outcome) =>
  outcome._tag === "NotSent" || (outcome._tag === "Failed" && !outcome.reason.mayHaveBeenCharged)

/**
 * Makes a function that returns an entry of `Attempt.Around`. The entry counts the `n` images of a request towards the
 * limit of its caller. A request that was not charged for does not count.
 */
export const makeCallerLimit = Effect.fnUntraced(function* ({ images, window }: CallerLimit) {
  const limiter = yield* RateLimiter.RateLimiter

  return Effect.fnUntraced(function* (caller: Caller, n: number) {
    const request = yield* HttpServerRequest.HttpServerRequest
    const consume = (tokens: number) =>
      limiter.consume({ key: `ImagesGateway/${caller.id}`, tokens, limit: images, window })

    const count = Effect.gen(function* () {
      const now = yield* Clock.currentTimeMillis
      const headers = headersOf(yield* Effect.mapError(consume(n), failure), now)
      yield* HttpEffect.appendPreResponseHandler((_, response) =>
        Effect.succeed(HttpServerResponse.setHeaders(response, headers))
      ).pipe(Effect.provideService(HttpServerRequest.HttpServerRequest, request))
    })

    const uncount = consume(-n).pipe(
      Effect.catch((error) =>
        Effect.logWarning(
          "ImagesGateway: a request that was not charged for still counts towards the caller's limit",
          error
        )
      )
    )

    const entry: Attempt.Entry = {
      wait: () => count,
      end: (_, outcome) => (isUncharged(outcome) ? uncount : Effect.void)
    }
    return entry
  })
})
