/**
 * Records each request that has an idempotency key before it is sent, in one row for each key. A journal in a file or
 * on a server outlives the process that sends the request. It contains no prompt, no image and no credentials.
 *
 * @example
 * ```ts
 * import { GenerationJournal } from "@effect-gradient/durable"
 * import { SqliteClient } from "@effect-gradient/durable/node"
 * import { Layer } from "effect"
 *
 * const journal = GenerationJournal.layerSql().pipe(Layer.provide(SqliteClient.layer({ filename: "journal.db" })))
 * ```
 */
import type { GradientError } from "@effect-gradient/core"
import * as Clock from "effect/Clock"
import * as Context from "effect/Context"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import * as Option from "effect/Option"
import type { MigrationError } from "effect/sql/Migrator"
import type { SqlClient } from "effect/sql/SqlClient"
import type { SqlError } from "effect/sql/SqlError"
import type { Count, Filter, Found, JournalFailure } from "./internal/journalModels.ts"
import { apply, isLapsed, type Move as JournalMove, repeated, type Row } from "./internal/stateMachine.ts"
import { makeSql, type SqlOptions } from "./internal/sqlJournal.ts"

export { type Count, type Filter, type Found, JournalFailure } from "./internal/journalModels.ts"
export { type Asked, Move, type Row, type Tokens } from "./internal/stateMachine.ts"
export type { SqlOptions } from "./internal/sqlJournal.ts"

/**
 * The journal. Only the journal's clock decides when a lease ends. Directly before a process sends a request, it checks
 * that, by its own clock, less than half of its lease has passed since it asked for the permission to send, or since it
 * last renewed the lease.
 *
 * @category services
 * @since 0.1.0
 */
export class GenerationJournal extends Context.Service<
  GenerationJournal,
  {
    /**
     * Applies a move in one atomic statement. Returns the row after the move, or the removed row. Returns `None` if the
     * condition of the move does not hold.
     */
    readonly move: (id: string, move: JournalMove) => Effect.Effect<Option.Option<Row>, JournalFailure>
    readonly find: (id: string) => Effect.Effect<Option.Option<Found>, JournalFailure>
    readonly list: (filter: Filter) => Effect.Effect<ReadonlyArray<Found>, JournalFailure>
    /** Counts the generations in each status. Only generations whose key begins with this prefix are counted. */
    readonly count: (prefix: string) => Effect.Effect<ReadonlyArray<Count>, JournalFailure>
    /** Sets the lease of a process to end this many milliseconds from now. 0 ends the lease at once. */
    readonly renew: (holder: string, leaseMillis: number) => Effect.Effect<void, JournalFailure>
  }
>()("@effect-gradient/durable/GenerationJournal") {}

const isWanted =
  ({ after, createdBefore, notStates = [], prefix = "", states, untouchedFor }: Filter, now: number) =>
  ({ createdAt, id, key = "", state, updatedAt }: Row) =>
    (states === undefined || states.includes(state)) &&
    !notStates.includes(state) &&
    key.startsWith(prefix) &&
    (createdBefore === undefined || createdAt < createdBefore) &&
    (untouchedFor === undefined || updatedAt < now - untouchedFor) &&
    (after === undefined || createdAt < after.createdAt || (createdAt === after.createdAt && id < after.id))

const statuses: ReadonlyArray<Count["status"]> = [
  "done",
  "sending",
  "in-doubt",
  "failed",
  "free",
  "abandoned",
  "expired"
]

const statusOf = ({ isLapsed: isOver, row: { note, state } }: Found): Count["status"] => {
  if (isOver) return "in-doubt"
  if (state === "free" && note !== undefined && note !== repeated) return "failed"
  return statuses.find((status) => status === state) ?? "in-doubt"
}

const countOf = (status: Count["status"], all: ReadonlyArray<Found>): ReadonlyArray<Count> => {
  const rows = all.filter((one) => statusOf(one) === status).map(({ row }) => row)
  if (rows.length === 0) return []
  const images = rows.reduce((sum, row) => sum + row.images, 0)
  const totalTokens = rows.reduce((sum, { tokens: { total = 0 } }) => sum + total, 0)
  return [{ status, generations: rows.length, images, totalTokens }]
}

const byAge = (a: Row, b: Row) => b.createdAt - a.createdAt || (a.id < b.id ? 1 : -1)

const makeMemory = Effect.sync(() => {
  const rows = new Map<string, Row>()
  const holders = new Map<string, number>()
  const untilOf = (row: Row | undefined) => holders.get(row?.holder ?? "") ?? 0
  const found = (row: Row, now: number): Found => ({ row, isLapsed: isLapsed(row, untilOf(row), now) })
  return GenerationJournal.of({
    move: (id, move) =>
      Effect.map(Clock.currentTimeMillis, (now) => {
        const before = rows.get(id)
        const applied = apply(id, before, move, { holderUntil: untilOf(before), now })
        if (applied === undefined) return Option.none()
        if (applied.row === undefined) rows.delete(id)
        else rows.set(id, applied.row)
        return Option.fromNullishOr(applied.row ?? before)
      }),
    find: (id) =>
      Effect.map(Clock.currentTimeMillis, (now) =>
        Option.map(Option.fromNullishOr(rows.get(id)), (row) => found(row, now))
      ),
    list: (filter) =>
      Effect.map(Clock.currentTimeMillis, (now) =>
        [...rows.values()]
          .filter(isWanted(filter, now))
          .toSorted(byAge)
          .slice(0, filter.limit)
          .map((row) => found(row, now))
      ),
    count: (prefix) =>
      Effect.map(Clock.currentTimeMillis, (now) => {
        const all = [...rows.values()].filter(({ key = "" }) => key.startsWith(prefix)).map((row) => found(row, now))
        return statuses.flatMap((status) => countOf(status, all))
      }),
    renew: (holder, leaseMillis) =>
      Effect.map(Clock.currentTimeMillis, (now) => {
        if (leaseMillis === 0) holders.delete(holder)
        else holders.set(holder, now + leaseMillis)
      })
  })
})

/**
 * A journal in memory, for tests. It is empty each time the layer is built.
 *
 * @category layers
 * @since 0.1.0
 */
// `Layer.fresh`, because two journals in one program must not share their rows.
export const layerMemory: Layer.Layer<GenerationJournal> = Layer.fresh(Layer.effect(GenerationJournal, makeMemory))

/**
 * Provides the journal in a SQL database: PostgreSQL, or SQLite through `@effect-gradient/durable/node`. The layer
 * creates its tables unless `migrate` is `"check"`. Fails with `InvalidParamsError` if `synchronous_commit` of
 * PostgreSQL is off or `synchronous` of SQLite is below `FULL`, because a crash could then lose a commit.
 *
 * @category layers
 * @since 0.1.0
 */
export const layerSql = (
  options: SqlOptions = {}
): Layer.Layer<GenerationJournal, GradientError.GradientError | MigrationError | SqlError, SqlClient> =>
  Layer.effect(GenerationJournal, Effect.map(makeSql(options), GenerationJournal.of))
