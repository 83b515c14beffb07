/**
 * Reads with an eye on the clock. The watch is kept only while a read is pending, so a slow consumer never trips it, and
 * it costs one timer a read, not one a chunk.
 */
import * as Clock from "effect/Clock"
import * as Effect from "effect/Effect"

/** When bytes last came; whoever reads keeps it. In milliseconds of the Clock. */
export interface Activity {
  lastByteAt: number
}

export interface Patience {
  /** The longest that no byte may come. */
  readonly idleMillis: number
  /** When the whole must be done, in milliseconds of the Clock. */
  readonly deadline: number
}

/** Runs the read until it is done or the time is up: then it is interrupted, and fails with what `expired` makes. */
export const watch = <A, E, R, E2>(
  read: Effect.Effect<A, E, R>,
  activity: Activity,
  patience: Patience,
  expired: (phase: "response" | "idle", description: string) => E2
): Effect.Effect<A, E | E2, R> => Effect.raceFirst(read, expire(activity, patience, expired))

const expire = <E>(
  activity: Activity,
  { deadline, idleMillis }: Patience,
  expired: (phase: "response" | "idle", description: string) => E
): Effect.Effect<never, E> =>
  Effect.gen(function* () {
    activity.lastByteAt = yield* Clock.currentTimeMillis
    while (true) {
      const now = yield* Clock.currentTimeMillis
      const idleAt = activity.lastByteAt + idleMillis
      if (now >= deadline) return yield* Effect.fail(expired("response", "the reply was not whole in time"))
      if (now >= idleAt) {
        return yield* Effect.fail(expired("idle", `no byte came for ${idleMillis / 1000} s`))
      }
      yield* Effect.sleep(Math.min(idleAt, deadline) - now)
    }
  })
