/**
 * Limits how many requests are sent within a time window, and how many are under way at the same time. It counts
 * requests, as the service does: each retry counts, and a request for several images counts once. A call waits before
 * its request is sent, so the wait is not part of `timeout`.
 *
 * This module is not part of the index, so that a program without limits does not load it.
 *
 * Effect's `RateLimiter` counts the requests of a window: in memory for one process, or in a store, such as Redis, for
 * several processes. The number of requests under way is counted in each process. After a `RateLimitError` of the
 * service, or after a complete reply whose headers show that no request is left, this process starts no request through
 * this layer until the time that the service names, if it names one.
 *
 * @example
 * ```ts
 * import * as ImagesLimit from "@effect-gradient/core/ImagesLimit"
 * import { NodeImages } from "@effect-gradient/node"
 * import { Layer } from "effect"
 * import { RateLimiter } from "effect/persistence"
 *
 * const inMemory = RateLimiter.layer.pipe(Layer.provide(RateLimiter.layerStoreMemory))
 *
 * const layer = ImagesLimit.layer({ limit: 250, window: "1 minute", concurrency: 8 }).pipe(
 *   Layer.provide([NodeImages.layerFromConfig(), inMemory])
 * )
 * ```
 */
import * as Clock from "effect/Clock"
import * as DateTime from "effect/DateTime"
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import type * as Layer from "effect/Layer"
import * as RateLimiter from "effect/persistence/RateLimiter"
import * as Result from "effect/Result"
import * as Semaphore from "effect/Semaphore"
import * as Attempt from "./Attempt.ts"
import * as GradientError from "./GradientError.ts"
import type { Images } from "./Images.ts"
import { duration, oneOf, positiveInteger } from "./internal/request/checks.ts"
import { issuesOf, refuse } from "./internal/request/checked.ts"
import { invalidParams } from "./internal/request/invalidParams.ts"
import { nextReset } from "./RateLimit.ts"

type Reason = GradientError.GradientErrorReason

/**
 * Options of the limit. At least one of `limit` and `concurrency` must be set.
 *
 * @category models
 * @since 0.1.0
 */
export interface Options {
  /** The most requests that are sent within `window`, on average. Default: no limit. */
  readonly limit?: number | undefined
  /** The time for which `limit` is meant. Default: 1 minute. */
  readonly window?: Duration.Input | undefined
  /**
   * How requests are counted. `fixed-window`: up to `limit` requests are sent at once, and each of them adds
   * `window/limit` to the time until the count starts again. `token-bucket`: up to `limit` requests are sent at once,
   * and after each `window/limit`, one more can be sent. Default: `fixed-window`.
   */
  readonly algorithm?: "fixed-window" | "token-bucket" | undefined
  /** The most requests through this layer, in this process, that are under way at the same time. Default: no limit. */
  readonly concurrency?: number | undefined
  /**
   * What a request over a limit does: `delay` waits, `fail` fails with `RateLimitError`, which is not retried. Default:
   * `delay`.
   */
  readonly onExceeded?: "delay" | "fail" | undefined
  /**
   * The name of the count in the store of the `RateLimiter`. Processes that use the same store and the same name share
   * `limit`, but not `concurrency`. Default: `images`.
   */
  readonly key?: string | undefined
}

interface Limits {
  readonly limit: number | undefined
  readonly window: Duration.Duration
  readonly algorithm: "fixed-window" | "token-bucket"
  readonly concurrency: number | undefined
  readonly isFailing: boolean
  readonly key: string
}

const checked = (options: Options): Effect.Effect<Limits, GradientError.GradientError> => {
  const { algorithm, concurrency, key = "images", limit, onExceeded, window } = options
  const parts = {
    limit: positiveInteger("limit", limit),
    window: duration("window", window, Duration.minutes(1)),
    algorithm: oneOf("algorithm", algorithm, ["fixed-window", "token-bucket"], "fixed-window"),
    concurrency: positiveInteger("concurrency", concurrency),
    onExceeded: oneOf("onExceeded", onExceeded, ["delay", "fail"], "delay"),
    either:
      limit === undefined && concurrency === undefined
        ? refuse("limit or concurrency", "set", "neither")
        : Result.succeed(undefined)
  }
  const all = Result.all(parts)
  return Result.isSuccess(all)
    ? Effect.succeed({ ...all.success, key, isFailing: onExceeded === "fail" })
    : GradientError.fromReason(invalidParams(issuesOf(parts)))
}

/** The failure of a request over a limit. It is not retried, because the caller chose `fail` and not `delay`. */
const exceeded = (description: string, retryAfter?: Duration.Duration): Reason =>
  new GradientError.RateLimitError({
    reached: "NotSent",
    shouldRetry: false,
    description: `${description}. Nothing was sent`,
    retryAfter
  })

const seconds = (wait: Duration.Duration) => `${Math.ceil(Duration.toSeconds(wait) * 10) / 10} s`

/** Until when the service wants no request, in milliseconds since 1970. 0 if the reply names no such time. */
const pausedUntil = (outcome: Attempt.Outcome, now: number): number => {
  if (outcome._tag === "Completed") {
    const rateLimit = outcome.response?.rateLimit
    const reset = rateLimit?.remaining === 0 ? rateLimit.resetAt : undefined
    return reset === undefined ? 0 : DateTime.toEpochMillis(reset)
  }
  if (outcome._tag !== "Failed" || outcome.reason._tag !== "RateLimitError") return 0
  const { retryAfter } = outcome.reason
  const reset = nextReset(outcome.reason)
  if (retryAfter !== undefined) return now + Duration.toMillis(retryAfter)
  return reset === undefined ? 0 : DateTime.toEpochMillis(reset)
}

/** Waits for this time, or fails if `onExceeded` is `fail`. */
const delayed = ({ isFailing }: Limits, what: string, wait: Duration.Duration): Effect.Effect<void, Reason> =>
  isFailing ? Effect.fail(exceeded(`${what} for another ${seconds(wait)}`, wait)) : Effect.sleep(wait)

/** The reason for a failure of the `RateLimiter`: its limit is used up, or its store cannot be reached. */
const limiterFailed = ({ reason }: RateLimiter.RateLimiterError): Reason =>
  reason._tag === "RateLimitExceeded"
    ? exceeded(
        `the limit of ${reason.limit} requests is used up for another ${seconds(reason.retryAfter)}`,
        reason.retryAfter
      )
    : new GradientError.ConnectionError({
        code: "rate_limiter_unreachable",
        description: `the limiter's store cannot be reached: ${reason.message}`,
        cause: reason
      })

/** Takes one request from the limit. If none is left, waits or fails. */
const take = (limits: Limits, limiter: RateLimiter.RateLimiter): Effect.Effect<void, Reason> => {
  const { algorithm, isFailing, key, limit, window } = limits
  if (limit === undefined) return Effect.void
  return limiter.consume({ key, limit, window, algorithm, onExceeded: isFailing ? "fail" : "delay" }).pipe(
    Effect.mapError(limiterFailed),
    Effect.flatMap(({ delay }) => Effect.sleep(delay))
  )
}

const makeEntry = Effect.fnUntraced(function* (options: Options) {
  const limits = yield* checked(options)
  const limiter = yield* RateLimiter.RateLimiter
  const permits = limits.concurrency === undefined ? undefined : yield* Semaphore.make(limits.concurrency)
  let paused = 0

  const release = permits === undefined ? Effect.void : Effect.asVoid(Semaphore.release(permits, 1))
  const acquire: Effect.Effect<void, Reason> = Effect.suspend(() => {
    if (permits === undefined) return Effect.void
    if (!limits.isFailing) return Effect.asVoid(Semaphore.take(permits, 1))
    return Effect.flatMap(Semaphore.takeIfAvailable(permits, 1), (isTaken) =>
      isTaken
        ? Effect.void
        : Effect.fail(
            exceeded(`${limits.concurrency} requests are under way, and no more are allowed at the same time`)
          )
    )
  })
  const pause: Effect.Effect<void, Reason> = Effect.flatMap(Clock.currentTimeMillis, (now) => {
    const wait = Duration.millis(paused - now)
    return paused <= now ? Effect.void : Effect.andThen(delayed(limits, "the service allows no request", wait), pause)
  })
  // The permit is taken before the wait for the limit. Otherwise, requests that have waited for the limit would wait
  // for permits, and could then be sent together, over the limit.
  const wait = Effect.uninterruptibleMask((restore) =>
    Effect.andThen(
      restore(acquire),
      // The second `pause` is needed because the service may have refused another request during the wait for the
      // limit.
      Effect.onError(restore(Effect.andThen(Effect.andThen(pause, take(limits, limiter)), pause)), () => release)
    )
  )
  const end = (_attempt: Attempt.Attempt, outcome: Attempt.Outcome) =>
    Effect.flatMap(Clock.currentTimeMillis, (now) => {
      paused = Math.max(paused, pausedUntil(outcome, now))
      return release
    })
  const entry: Attempt.Entry = { wait: () => wait, end }
  return entry
})

/**
 * Limits the requests of all calls through this layer. Fails with `InvalidParamsError` if an option cannot be used.
 *
 * @category layers
 * @since 0.1.0
 */
export const layer = (
  options: Options
): Layer.Layer<Images, GradientError.GradientError, Images | RateLimiter.RateLimiter> =>
  Attempt.layerEffect(makeEntry(options))
