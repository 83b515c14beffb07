/**
 * Creates the tables of the journal, of rate limits and of budgets in a SQL database, and checks the setting by which
 * the database keeps confirmed commits.
 */
import { GradientError } from "@effect-gradient/core"
import * as Effect from "effect/Effect"
import * as Migrator from "effect/sql/Migrator"
import { SqlClient } from "effect/sql/SqlClient"
import type { SqlError } from "effect/sql/SqlError"
import { isBusy, whileBusy } from "./sqlBusy.ts"

export interface Names {
  readonly budget: string
  readonly generation: string
  readonly holder: string
  readonly limit: string
  readonly migration: string
}

/** Makes the names of the tables with this prefix. Fails with `InvalidParamsError` if the prefix is not valid. */
export const checkedNames = (prefix = "gradient_"): Effect.Effect<Names, GradientError.GradientError> =>
  /^[a-z_][a-z0-9_]{0,40}$/i.test(prefix)
    ? Effect.succeed({
        budget: `${prefix}budget`,
        generation: `${prefix}generation`,
        holder: `${prefix}holder`,
        limit: `${prefix}limit`,
        migration: `${prefix}migration`
      })
    : GradientError.fromReason(
        new GradientError.InvalidParamsError({
          issues: [
            { param: "prefix", given: JSON.stringify(prefix), allowed: "1 to 41 ASCII letters, digits and underscores" }
          ],
          description: "prefix must be 1 to 41 ASCII letters, digits and underscores, of which the first is not a digit"
        })
      )

/**
 * The migrations of the schema. Each only adds to the schema, so that an older process can continue to run beside a
 * newer one.
 */
const migrations = ({ budget, generation, holder, limit }: Names): ReadonlyArray<Migrator.ResolvedMigration> => [
  [1, "tables", Effect.succeed(createTables(generation, holder))],
  [2, "limit", Effect.succeed(createLimitTable(limit))],
  [3, "budget", Effect.succeed(createBudgetTable(budget))]
]

const createLimitTable = Effect.fnUntraced(function* (limit: string) {
  const sql = (yield* SqlClient).withoutTransforms()
  yield* sql`CREATE TABLE ${sql(limit)} (
    key TEXT NOT NULL PRIMARY KEY, tokens DOUBLE PRECISION NOT NULL, at DOUBLE PRECISION NOT NULL
  )`
})

/**
 * Creates the table with the counts of budgets. `money` is in millionths of the currency unit. `since` is when the
 * window started, in milliseconds since 1970.
 */
const createBudgetTable = Effect.fnUntraced(function* (budget: string) {
  const sql = (yield* SqlClient).withoutTransforms()
  yield* sql`CREATE TABLE ${sql(budget)} (
    key TEXT NOT NULL PRIMARY KEY, images BIGINT NOT NULL, output_tokens BIGINT NOT NULL, money BIGINT NOT NULL,
    since BIGINT NOT NULL
  )`
})

const createTables = Effect.fnUntraced(function* (generation: string, holder: string) {
  const sql = (yield* SqlClient).withoutTransforms()
  yield* sql`CREATE TABLE ${sql(generation)} (
    id TEXT NOT NULL PRIMARY KEY,
    key TEXT,
    state TEXT NOT NULL,
    attempt INTEGER NOT NULL,
    token TEXT NOT NULL,
    holder TEXT NOT NULL,
    lease_until BIGINT NOT NULL,
    note TEXT,
    salt TEXT,
    digest TEXT,
    labels TEXT NOT NULL,
    model TEXT NOT NULL,
    n INTEGER NOT NULL,
    images INTEGER NOT NULL,
    folder TEXT,
    extra TEXT NOT NULL DEFAULT '',
    input_tokens BIGINT,
    output_tokens BIGINT,
    total_tokens BIGINT,
    created_at BIGINT NOT NULL,
    sent_at BIGINT NOT NULL,
    updated_at BIGINT NOT NULL
  )`
  yield* sql`CREATE INDEX ${sql(`${generation}_age`)} ON ${sql(generation)} (created_at, id)`
  yield* sql`CREATE INDEX ${sql(`${generation}_state`)} ON ${sql(generation)} (state, updated_at)`
  yield* sql`CREATE TABLE ${sql(holder)} (id TEXT NOT NULL PRIMARY KEY, alive_until BIGINT NOT NULL)`
})

/** Whether the database has a table, view or index with this name. */
const has = (sql: SqlClient, name: string) =>
  Effect.map(
    sql.onDialectOrElse({
      pg: () => sql`SELECT 1 WHERE to_regclass(${`"${name}"`}) IS NOT NULL`,
      orElse: () => sql`SELECT 1 FROM sqlite_master WHERE name = ${name} COLLATE NOCASE`
    }),
    (rows) => rows.length > 0
  )

const checkTables = Effect.fnUntraced(function* (sql: SqlClient, tables: ReadonlyArray<string>) {
  const missing = yield* Effect.filter(tables, (name) => Effect.map(has(sql, name), (isThere) => !isThere))
  if (missing.length > 0) {
    const which = `${missing.length === 1 ? "table" : "tables"} ${missing.join(" and ")}`
    const message = `The database has no ${which}. Use migrate: "run" once.`
    return yield* new Migrator.MigrationError({ kind: "BadState", message })
  }
  // This fails if the role may not read a table.
  yield* Effect.forEach(tables, (name) => sql`SELECT 1 FROM ${sql(name)} LIMIT 1`, { discard: true })
})

/** Creates all tables and adds what is missing in older ones, or only checks that the `needed` tables exist. */
export const runMigrations = (
  sql: SqlClient,
  names: Names,
  migrate: "run" | "check",
  needed: ReadonlyArray<Exclude<keyof Names, "migration">>
): Effect.Effect<unknown, Migrator.MigrationError | SqlError> =>
  migrate === "run"
    ? Migrator.make({})({ loader: Effect.succeed(migrations(names)), table: names.migration }).pipe(
        Effect.provideService(SqlClient, sql),
        // The search for pending migrations needs the lock of the SQLite file, which another process may hold.
        Effect.retry({ while: (error) => error._tag === "SqlError" && isBusy(error), schedule: whileBusy })
      )
    : checkTables(
        sql,
        needed.map((table) => names[table])
      )

const refuse = (description: string) => GradientError.fromReason(new GradientError.InvalidParamsError({ description }))

/** `PRAGMA synchronous` returns 2 for `FULL` and 3 for `EXTRA`. */
const full = 2

/**
 * Fails if `synchronous_commit` of PostgreSQL is off, or `synchronous` of SQLite is below `FULL`. A crash could then
 * lose a commit, so that a request was sent without any record of it. Also fails for other databases.
 */
export const checkDurability = (sql: SqlClient): Effect.Effect<void, GradientError.GradientError | SqlError> =>
  sql.onDialectOrElse({
    pg: () =>
      Effect.flatMap(sql`SHOW synchronous_commit`, ([row]) =>
        row?.["synchronous_commit"] === "off"
          ? refuse("PostgreSQL must not have synchronous_commit off: otherwise a crash can lose commits")
          : Effect.void
      ),
    sqlite: () =>
      Effect.flatMap(sql`PRAGMA synchronous`, ([row]) =>
        Number(row?.["synchronous"]) < full
          ? refuse("SQLite must have PRAGMA synchronous = FULL or EXTRA: otherwise a power loss can lose commits")
          : Effect.void
      ),
    orElse: () => refuse("The database must be SQLite or PostgreSQL")
  })
