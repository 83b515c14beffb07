/**
 * The attempts that came, by their ids, so that none is carried out twice: for an hour, and the latest 100,000.
 */
import * as Clock from "effect/Clock"
import * as Effect from "effect/Effect"
import * as ApiError from "./ApiError.ts"

const retentionMillis = 60 * 60 * 1000
const capacity = 100_000

export interface Attempts {
  /** Whether this one is new; from then on it is not. */
  readonly claim: (id: string, now: number) => boolean
  /** Forgets one that came to nothing: nothing was sent for it. */
  readonly release: (id: string) => void
}

export const makeAttempts = (): Attempts => {
  // When each came. A Map keeps its order, so the oldest is the first.
  const seen = new Map<string, number>()
  return {
    claim: (id, now) => {
      if (now - (seen.get(id) ?? Number.NEGATIVE_INFINITY) < retentionMillis) return false
      seen.delete(id)
      seen.set(id, now)
      for (const [oldest, cameAt] of seen) {
        if (seen.size <= capacity && now - cameAt < retentionMillis) break
        seen.delete(oldest)
      }
      return true
    },
    release: (id) => {
      seen.delete(id)
    }
  }
}

const duplicate = ApiError.make(
  409,
  "This attempt is at work already, or was, and is not made again. It may have been charged for.",
  { code: "duplicate_attempt", headers: { "x-should-retry": "false" } }
)

/** Runs an attempt unless it was there before. One that comes to nothing before it is sent behind is forgotten. */
export const makeOnce = Effect.sync(() => {
  const attempts = makeAttempts()
  return <A, E, R>(
    id: string | undefined,
    checks: Effect.Effect<A, E, R>
  ): Effect.Effect<A, E | ApiError.ApiError, R> =>
    id === undefined
      ? checks
      : Effect.gen(function* () {
          const isNew = attempts.claim(id, yield* Clock.currentTimeMillis)
          if (!isNew) return yield* Effect.fail(duplicate)
          return yield* Effect.onError(checks, () => Effect.sync(() => attempts.release(id)))
        })
})
