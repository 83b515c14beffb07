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

/** How long incoming one body may take. A consumer's own time between two reads does not count. */
export class ReadTimeouts {
  /** The longest time without a byte. */
  readonly idleMillis: number
  /** The phase of the error after the deadline: `response` for the option `timeout`, `deadline` for `deadline`. */
  readonly deadlinePhase: "response" | "deadline"
  #deadline: number
  #readEndedAt: number | undefined

  constructor(options: Pick<ReadTimeouts, "idleMillis" | "deadlinePhase" | "deadline">) {
    this.idleMillis = options.idleMillis
    this.deadlinePhase = options.deadlinePhase
    this.#deadline = options.deadline
  }

  /** When the whole body must have arrived, in milliseconds of the Clock. */
  get deadline(): number {
    return this.#deadline
  }

  /** A read begins: the time since the last one was the consumer's. */
  resume(now: number): void {
    if (this.#readEndedAt !== undefined) this.#deadline += now - this.#readEndedAt
  }

  /** A read has ended. */
  pause(now: number): void {
    this.#readEndedAt = now
  }
}

/** Runs the read until it is done or the time is up: then it is interrupted, and fails with what `expired` makes. */
export const watch = <A, E, R, E2>(
  read: Effect.Effect<A, E, R>,
  activity: Activity,
  timeouts: ReadTimeouts,
  expired: (phase: "response" | "idle" | "deadline", description: string) => E2
): Effect.Effect<A, E | E2, R> =>
  Effect.flatMap(Clock.Clock, (clock) => {
    timeouts.resume(clock.currentTimeMillisUnsafe())
    return Effect.onExit(Effect.raceFirst(read, expire(activity, timeouts, expired)), () =>
      Effect.sync(() => timeouts.pause(clock.currentTimeMillisUnsafe()))
    )
  })

const expire = <E>(
  activity: Activity,
  { deadline, deadlinePhase, idleMillis }: ReadTimeouts,
  expired: (phase: "response" | "idle" | "deadline", description: string) => E
): Effect.Effect<never, E> =>
  Effect.gen(function* () {
    activity.lastByteAt = yield* Clock.currentTimeMillis
    while (true) {
      const now = yield* Clock.currentTimeMillis
      const idleAt = activity.lastByteAt + idleMillis
      if (now >= deadline) return yield* Effect.fail(expired(deadlinePhase, "the reply was not whole in time"))
      if (now >= idleAt) {
        return yield* Effect.fail(expired("idle", `no byte came for ${idleMillis / 1000} s`))
      }
      yield* Effect.sleep(Math.min(idleAt, deadline) - now)
    }
  })
