/**
 * Writes outcomes to the journal. If this fails, the write is repeated every second until it succeeds or the layer
 * closes.
 */
import * as Effect from "effect/Effect"
import type * as Option from "effect/Option"
import * as Schedule from "effect/Schedule"
import type * as Scope from "effect/Scope"
import type { GenerationJournal } from "../GenerationJournal.ts"
import type { JournalFailure } from "./journalModels.ts"
import type { Move, Row } from "./stateMachine.ts"

/** Makes the writer. It tries again until this scope closes. */
export const make = (journal: GenerationJournal["Service"], scope: Scope.Scope) => {
  const pending = new Map<string, Move>()

  /** Writes the pending outcome of this generation, if there is one. */
  const flush = (id: string): Effect.Effect<void, JournalFailure> =>
    Effect.suspend(() => {
      const move = pending.get(id)
      if (move === undefined) return Effect.void
      return Effect.map(journal.move(id, move), () => {
        if (pending.get(id) === move) pending.delete(id)
      })
    })

  const later = (id: string, move: Move, { message }: JournalFailure) =>
    Effect.gen(function* () {
      pending.set(id, move)
      yield* Effect.logError(
        `The outcome of ${id} (${move._tag}) could not be written. It is tried again every second: ${message}`
      )
      const whenBack = Effect.retry(flush(id), Schedule.spaced("1 second"))
      yield* Effect.forkIn(Effect.andThen(whenBack, Effect.logInfo(`The outcome of ${id} was written`)), scope)
    })

  return {
    flush,
    /** Tries once more to write all pending outcomes. */
    flushAll: Effect.suspend(() => Effect.forEach([...pending.keys()], (id) => Effect.ignore(flush(id)))),
    /** Applies the move to the row. If three tries fail, returns `undefined`, and tries again later. */
    write: (id: string, move: Move): Effect.Effect<Option.Option<Row> | undefined> =>
      journal.move(id, move).pipe(
        Effect.retry({ times: 2, schedule: Schedule.spaced("100 millis") }),
        Effect.catch((failure) => Effect.as(later(id, move, failure), undefined))
      )
  }
}

export type Outcomes = ReturnType<typeof make>
