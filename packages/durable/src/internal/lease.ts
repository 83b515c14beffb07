/**
 * The lease of this process: one row in the journal's table of leases, which is renewed while the layer is open. When
 * the lease of a process has ended, other processes treat an unfinished request of that process as in doubt, once the
 * time `leaseUntil` in the row of the generation has passed too.
 */
import * as Clock from "effect/Clock"
import * as Effect from "effect/Effect"
import type { GenerationJournal } from "../GenerationJournal.ts"

/** A moment on two clocks. The monotonic clock may stop while the machine sleeps. The wall clock may be set back. */
export interface Moment {
  readonly wall: number
  readonly monotonic: bigint
}

const now: Effect.Effect<Moment> = Effect.map(
  Effect.all([Clock.currentTimeMillis, Effect.flatMap(Clock.Clock, (clock) => clock.monotonicTimeNanos)]),
  ([wall, monotonic]) => ({ wall, monotonic })
)

const since = (moment: Moment, { monotonic, wall }: Moment): number =>
  Math.max(wall - moment.wall, Number(monotonic - moment.monotonic) / 1e6)

/** Starts a lease. Renews it whenever a third of its duration has passed, until the scope closes. */
export const make = Effect.fnUntraced(function* (
  journal: GenerationJournal["Service"],
  holder: string,
  leaseMillis: number
) {
  let confirmed = yield* now
  const renew = Effect.gen(function* () {
    // The clock is read before the statement runs, so that this process assumes an earlier end of the lease than the
    // database.
    const asked = yield* now
    yield* journal.renew(holder, leaseMillis)
    confirmed = asked
  })
  yield* renew
  const keep = renew.pipe(Effect.catch(({ message }) => Effect.logWarning(`The lease was not renewed: ${message}`)))
  yield* Effect.forkScoped(Effect.forever(Effect.andThen(Effect.sleep(leaseMillis / 3), keep)))
  return {
    holder,
    leaseMillis,
    now,
    /**
     * Whether a request may be sent now. `asked` is when the permission to send was asked for. The request may be sent
     * if less than half of the lease has passed since then, or since the last renewal that the journal confirmed.
     */
    isFresh: (asked: Moment) =>
      Effect.map(now, (at) => Math.min(since(asked, at), since(confirmed, at)) < leaseMillis / 2),
    /**
     * Ends the lease. A request without an outcome is then in doubt once the time `leaseUntil` in the row of its
     * generation has passed.
     */
    end: journal.renew(holder, 0)
  }
})

export type Lease = Effect.Success<ReturnType<typeof make>>
