/**
 * Makes writes that wait at the same time share one transaction. Nearly all of the time of a write is spent in the sync
 * of its commit, which blocks the process, and one sync is enough for all of them.
 */
import * as Effect from "effect/Effect"
import * as Result from "effect/Result"
import type { Borrower, Connection } from "effect/sql/SqlConnection"
import type { SqlError } from "effect/sql/SqlError"
import * as Stream from "effect/Stream"
import type { DatabaseSync } from "node:sqlite"

type Rows = ReadonlyArray<Record<string, unknown>>
type Outcome = Result.Result<Rows, SqlError>

/** Runs a statement synchronously. */
type Run = (sql: string, params: ReadonlyArray<unknown>) => Outcome

/** A write that waits for its turn. */
interface Write {
  readonly sql: string
  readonly params: ReadonlyArray<unknown>
  outcome: Outcome | undefined
}

/**
 * Whether a statement can share a transaction with other statements: only `INSERT`, `UPDATE` and `DELETE` do. Some
 * other statements, such as `VACUUM`, fail in a transaction.
 */
const isWrite = (sql: string) => /^\s*(INSERT|UPDATE|DELETE)\b/i.test(sql)

/**
 * Runs writes in one transaction. A statement that fails undoes only itself. If the transaction cannot begin or commit,
 * or if the failure of a statement ends it, all writes fail.
 */
const runTogether = (database: DatabaseSync, run: Run, writes: ReadonlyArray<Write>): void => {
  const failAll = (error: SqlError) => {
    for (const write of writes) write.outcome = Result.fail(error)
  }
  const begun = run("BEGIN IMMEDIATE", [])
  if (Result.isFailure(begun)) return failAll(begun.failure)
  for (const write of writes) {
    const outcome = run(write.sql, write.params)
    write.outcome = outcome
    // If the failure has ended the transaction, for example because the disk is full, the other writes were rolled back
    // too.
    if (!database.isTransaction && Result.isFailure(outcome)) return failAll(outcome.failure)
  }
  const committed = run("COMMIT", [])
  if (Result.isSuccess(committed)) return
  if (database.isTransaction) run("ROLLBACK", [])
  failAll(committed.failure)
}

/**
 * Lends a connection whose writes share commits. `borrow` lends the underlying connection to one caller at a time. If
 * that caller writes, it also runs all writes that wait for the connection, in the same transaction.
 */
export const sharingCommits = (database: DatabaseSync, run: Run, borrow: Borrower): Borrower => {
  const waiting = new Set<Write>()

  const runWaiting = Effect.sync(() => {
    const writes = [...waiting]
    waiting.clear()
    const [first] = writes
    if (first !== undefined && writes.length === 1) first.outcome = run(first.sql, first.params)
    else if (first !== undefined) runTogether(database, run, writes)
  })

  const write = (sql: string, params: ReadonlyArray<unknown>): Effect.Effect<Rows, SqlError> =>
    Effect.suspend(() => {
      const own: Write = { sql, params, outcome: undefined }
      waiting.add(own)
      const outcome = Effect.suspend(() =>
        own.outcome === undefined ? Effect.die("a write did not run") : Effect.fromResult(own.outcome)
      )
      return borrow(() => {
        if (own.outcome !== undefined) return outcome
        // Yields once, so that other fibers can add their writes.
        return Effect.andThen(Effect.andThen(Effect.yieldNow, runWaiting), outcome)
      }).pipe(Effect.ensuring(Effect.sync(() => waiting.delete(own))))
    })

  const shared: Connection = {
    execute: (sql, params, transform) =>
      isWrite(sql)
        ? Effect.map(write(sql, params), (rows) => transform?.(rows) ?? rows)
        : borrow((connection) => connection.execute(sql, params, transform)),
    executeUnprepared: (sql, params, transform) =>
      borrow((connection) => connection.executeUnprepared(sql, params, transform)),
    executeRaw: (sql, params) => borrow((connection) => connection.executeRaw(sql, params)),
    executeValues: (sql, params) => borrow((connection) => connection.executeValues(sql, params)),
    executeValuesUnprepared: (sql, params) => borrow((connection) => connection.executeValuesUnprepared(sql, params)),
    executeStream: (sql, params, transform) =>
      Stream.unwrap(borrow((connection) => Effect.succeed(connection.executeStream(sql, params, transform))))
  }
  return (use) => use(shared)
}
