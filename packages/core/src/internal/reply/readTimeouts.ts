/**
 * Timeouts for reading a body. The timeouts run only while a read is pending, so a slow consumer never causes a
 * timeout. A read does not set a new timer for each chunk.
 */
import * as Clock from "effect/Clock"
import * as Effect from "effect/Effect"

/**
 * When bytes last arrived in this read, or else when the read began, in milliseconds of the Clock. The code that reads
 * the body updates this time.
 */
export interface Activity {
  lastByteAt: number
}

/** How long reading one body may take. The time that the consumer takes between two reads does not count. */
export class ReadTimeouts {
  /** The longest wait for the next byte of the body, in milliseconds. */
  readonly idleMillis: number
  /**
   * The `phase` of the error after the deadline: `response` if the option `timeout` set the deadline, `deadline` if the
   * option `deadline` did.
   */
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

  /**
   * Must be called when a read begins. The time since the last read was spent by the consumer, so the deadline is
   * extended by it.
   */
  resume(now: number): void {
    if (this.#readEndedAt !== undefined) this.#deadline += now - this.#readEndedAt
  }

  /** Must be called when a read ends. */
  pause(now: number): void {
    this.#readEndedAt = now
  }
}

/**
 * Runs a read with timeouts. When a timeout expires, the read is interrupted, and the effect fails with the result of
 * `expired`.
 */
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
      if (now >= deadline) return yield* Effect.fail(expired(deadlinePhase, "the reply was not complete in time"))
      if (now >= idleAt) {
        return yield* Effect.fail(expired("idle", `no byte arrived for ${idleMillis / 1000} s`))
      }
      yield* Effect.sleep(Math.min(idleAt, deadline) - now)
    }
  })
