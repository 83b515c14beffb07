/**
 * The lease of this process: one row in the journal, renewed while the layer is open. When the lease of a process is
 * over, other processes treat its open requests as in doubt.
 */
import * as Clock from "effect/Clock"
import * as Effect from "effect/Effect"
import type { GenerationJournal } from "../GenerationJournal.ts"

/** A moment by both clocks: the monotonic one may stop while the machine sleeps, the other one may be set back. */
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

/** Takes the lease, and renews it every third of its length until the scope closes. */
export const make = Effect.fnUntraced(function* (
  journal: GenerationJournal["Service"],
  holder: string,
  leaseMillis: number
) {
  let confirmed = yield* now
  const renew = Effect.gen(function* () {
    const asked = yield* now // Read before the statement, so that the lease in the database ends later than this process assumes.
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
    /** Whether a request may still be sent under a permission that was asked for at this moment. */
    isFresh: (asked: Moment) =>
      Effect.map(now, (at) => Math.min(since(asked, at), since(confirmed, at)) < leaseMillis / 2),
    /** Ends the lease, so that requests without an outcome are in doubt at once. */
    end: journal.renew(holder, 0)
  }
})

export type Lease = Effect.Success<ReturnType<typeof make>>
