/**
 * A `SqlClient` on `node:sqlite`, for a journal in a file. It uses a write-ahead log and `synchronous = FULL`. Several
 * processes on one machine can share the file.
 */
import { GradientError } from "@effect-gradient/core"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import * as Predicate from "effect/Predicate"
import * as Reactivity from "effect/reactivity/Reactivity"
import * as Result from "effect/Result"
import * as Schedule from "effect/Schedule"
import * as Semaphore from "effect/Semaphore"
import * as SqlClient from "effect/sql/SqlClient"
import type { Connection } from "effect/sql/SqlConnection"
import { classifySqliteError, SqlError } from "effect/sql/SqlError"
import * as Statement from "effect/sql/Statement"
import * as Stream from "effect/Stream"
import { dirname, resolve } from "node:path"
import { DatabaseSync, type SQLInputValue, type StatementSync } from "node:sqlite"
import { networkFileSystem } from "./internal/networkFileSystem.ts"
import { sharingCommits } from "./internal/sharedCommit.ts"

/**
 * Options of the client.
 *
 * @category models
 * @since 0.1.0
 */
export interface Options {
  /** The file of the database. It is created if it is missing, in a folder that must exist. `:memory:` is for tests. */
  readonly filename: string
}

/**
 * How long SQLite waits for a lock that another process holds, in milliseconds. It is short because node:sqlite is
 * synchronous: nothing else in this process runs meanwhile.
 */
const busyMillis = 20

/**
 * Makes Effect's error from an error of node:sqlite. Effect's classification does not read `errcode`, in which
 * node:sqlite has SQLite's error number, so it is passed as `code`.
 */
const sqlError = (cause: unknown, operation: string): SqlError => {
  const message = cause instanceof Error ? cause.message : String(cause)
  const code = Predicate.hasProperty(cause, "errcode") ? cause.errcode : undefined
  return new SqlError({ reason: classifySqliteError({ code, message, cause }, { message, operation }) })
}

const isInput = (value: unknown): value is SQLInputValue =>
  value === null || ["string", "number", "bigint"].includes(typeof value) || value instanceof Uint8Array

const inputOf = (value: unknown): SQLInputValue => {
  if (isInput(value)) return value
  if (value === undefined) return null
  throw new TypeError(`SQLite cannot store a ${typeof value}`)
}

const isTransaction = new WeakMap<object, () => boolean>()

/** The maximum number of prepared statements that are kept. The journal uses about twenty. */
const mostStatements = 200

/** Makes a function that runs a statement. Statements are kept prepared. */
const runnerOf = (database: DatabaseSync) => {
  const statements = new Map<string, StatementSync>()
  const prepared = (sql: string): StatementSync => {
    const known = statements.get(sql)
    if (known !== undefined) return known
    if (statements.size === mostStatements) statements.clear()
    const statement = database.prepare(sql)
    statements.set(sql, statement)
    return statement
  }
  return (sql: string, params: ReadonlyArray<unknown>) =>
    Result.try({
      try: () => prepared(sql).all(...params.map(inputOf)),
      catch: (cause) => sqlError(cause, "execute")
    })
}

const connectionOf = (database: DatabaseSync, run: ReturnType<typeof runnerOf>): Connection => {
  const all = (sql: string, params: ReadonlyArray<unknown>) => Effect.suspend(() => Effect.fromResult(run(sql, params)))
  const values = (sql: string, params: ReadonlyArray<unknown>) =>
    Effect.map(all(sql, params), (rows) => rows.map((row) => Object.values(row)))
  const connection: Connection = {
    execute: (sql, params, transform) => Effect.map(all(sql, params), (rows) => transform?.(rows) ?? rows),
    executeUnprepared: (sql, params, transform) => Effect.map(all(sql, params), (rows) => transform?.(rows) ?? rows),
    executeRaw: all,
    executeValues: values,
    executeValuesUnprepared: values,
    executeStream: (sql, params, transform) =>
      Stream.unwrap(Effect.map(all(sql, params), (rows) => Stream.fromIterable(transform?.(rows) ?? rows)))
  }
  isTransaction.set(connection, () => database.isTransaction)
  return connection
}

const open = (filename: string) =>
  Effect.acquireRelease(
    Effect.try({
      try: () => {
        const database = new DatabaseSync(filename, { timeout: busyMillis })
        // To change to the write-ahead log, SQLite needs a moment in which no other process uses the file. Until then,
        // this statement fails because the file is busy.
        database.exec("PRAGMA journal_mode = WAL; PRAGMA synchronous = FULL;")
        return database
      },
      catch: (cause) => sqlError(cause, "connect")
    }).pipe(
      Effect.retry({
        while: ({ reason }) => reason._tag === "LockTimeoutError",
        schedule: Schedule.spaced("20 millis").pipe(Schedule.upTo({ duration: "10 seconds" }))
      })
    ),
    (database) => Effect.sync(() => database.close())
  )

const refuseNetwork = (filename: string) =>
  Effect.flatMap(networkFileSystem(dirname(resolve(filename))), (name) =>
    name === undefined
      ? Effect.void
      : GradientError.fromReason(
          new GradientError.InvalidParamsError({
            description: `SQLite cannot be shared on a network file system (${name}): its locks may not work there. Put ${filename} on a local disk, or use PostgreSQL.`
          })
        )
  )

const make = Effect.fnUntraced(function* ({ filename }: Options) {
  if (filename !== ":memory:") yield* refuseNetwork(filename)
  const database = yield* open(filename)
  const run = runnerOf(database)
  const acquirers = SqlClient.makeSqliteAcquirers({
    connection: Effect.succeed(connectionOf(database, run)),
    semaphore: yield* Semaphore.make(1),
    isTransaction: (connection) => isTransaction.get(connection)?.() ?? false
  })
  return yield* SqlClient.make({
    ...acquirers,
    borrower: sharingCommits(database, run, acquirers.borrower),
    compiler: Statement.makeCompilerSqlite(),
    driver: "node-sqlite",
    // `BEGIN IMMEDIATE` takes the lock for writing at once. Without it, a transaction that first reads and then writes
    // would fail if another process wrote in between.
    beginTransaction: "BEGIN IMMEDIATE",
    spanAttributes: [["db.system.name", "sqlite"]]
  })
})

/**
 * Provides the client for a file. On Linux, fails with `InvalidParamsError` if the file is on a known network file
 * system.
 *
 * @category layers
 * @since 0.1.0
 */
export const layer = (options: Options): Layer.Layer<SqlClient.SqlClient, GradientError.GradientError | SqlError> =>
  Layer.effect(SqlClient.SqlClient, make(options)).pipe(Layer.provide(Reactivity.layer))
