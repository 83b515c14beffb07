/**
 * Keeps the counts of `ImagesBudget` in a SQL database, such as that of the journal, so that many processes share one
 * budget. Each reservation is one atomic statement, and uses the clock of the database. If a process is killed, the
 * amounts that it had reserved remain counted as if they had been used, until the window of the budget ends, if it has
 * one.
 *
 * @example
 * ```ts
 * import * as ImagesBudget from "@effect-gradient/core/ImagesBudget"
 * import { SqlBudgetLedger } from "@effect-gradient/durable"
 * import { SqliteClient } from "@effect-gradient/durable/node"
 * import { NodeImages } from "@effect-gradient/node"
 * import { Layer } from "effect"
 *
 * const ledger = SqlBudgetLedger.layer().pipe(Layer.provide(SqliteClient.layer({ filename: "journal.db" })))
 * const layer = ImagesBudget.layer({ images: 500, window: "1 day" }).pipe(
 *   Layer.provide([NodeImages.layerFromConfig(), ledger])
 * )
 * ```
 */
import { GradientError } from "@effect-gradient/core"
import { BudgetLedger, isWithin, nothing, type Request, type Settlement } from "@effect-gradient/core/BudgetLedger"
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import * as Schema from "effect/Schema"
import type { MigrationError } from "effect/sql/Migrator"
import { SqlClient } from "effect/sql/SqlClient"
import type { SqlError } from "effect/sql/SqlError"
import type { Fragment } from "effect/sql/Statement"
import { isBusy, whileBusy } from "./internal/sqlBusy.ts"
import type { SqlOptions } from "./internal/sqlJournal.ts"
import { checkDurability, checkedNames, runMigrations } from "./internal/sqlTables.ts"

const Integer = Schema.Union([Schema.Finite, Schema.FiniteFromString, Schema.BigInt])
const Counts = Schema.Array(Schema.Struct({ images: Integer, output_tokens: Integer, money: Integer, since: Integer }))
const decode = Schema.decodeUnknownEffect(Counts)

const failureOf = (cause: SqlError | Schema.SchemaError) =>
  new GradientError.ConnectionError({
    code: "budget_unreachable",
    description: `the database of the budget failed: ${cause.message}`,
    cause
  })

const statementsOn = (sql: SqlClient, name: string) => {
  const table = sql(name)
  const integer = (value: number) => sql`CAST(${value} AS BIGINT)`
  const now = sql.onDialectOrElse({
    pg: () => sql`CAST(FLOOR(EXTRACT(EPOCH FROM clock_timestamp()) * 1000) AS BIGINT)`,
    orElse: () => sql`CAST(unixepoch('subsec') * 1000 AS BIGINT)`
  })
  /** SQL for a column in the current window: `count`, or `otherwise` if the window of the row has ended. */
  const current = ({ window }: Request, count: Fragment, otherwise: Fragment) =>
    window === undefined
      ? count
      : sql`CASE WHEN b.since + ${integer(Math.ceil(Duration.toMillis(window)))} <= ${now} THEN ${otherwise} ELSE ${count} END`

  const reserve = (request: Request) => {
    const { amounts, key, limits } = request
    const images = sql`(${current(request, sql`b.images`, integer(0))} + ${integer(amounts.images)})`
    const tokens = sql`(${current(request, sql`b.output_tokens`, integer(0))} + ${integer(amounts.outputTokens)})`
    const money = sql`(${current(request, sql`b.money`, integer(0))} + ${integer(amounts.money)})`
    return sql`INSERT INTO ${table} AS b (key, images, output_tokens, money, since)
      VALUES (${key}, ${integer(amounts.images)}, ${integer(amounts.outputTokens)}, ${integer(amounts.money)}, ${now})
      ON CONFLICT (key) DO UPDATE SET images = ${images}, output_tokens = ${tokens}, money = ${money},
        since = ${current(request, sql`b.since`, now)}
      WHERE ${images} <= ${integer(limits.images)} AND ${tokens} <= ${integer(limits.outputTokens)}
        AND ${money} <= ${integer(limits.money)}
      RETURNING images, output_tokens, money, since`
  }

  const look = (request: Request) =>
    sql`SELECT ${current(request, sql`b.images`, integer(0))} AS images,
        ${current(request, sql`b.output_tokens`, integer(0))} AS output_tokens,
        ${current(request, sql`b.money`, integer(0))} AS money, b.since AS since
      FROM ${table} AS b WHERE b.key = ${request.key}`

  const settle = ({ key, reserved, since, used }: Settlement) =>
    sql`UPDATE ${table} SET images = images + ${integer(used.images - reserved.images)},
        output_tokens = output_tokens + ${integer(used.outputTokens - reserved.outputTokens)},
        money = money + ${integer(used.money - reserved.money)}
      WHERE key = ${key} AND since = ${integer(since)} RETURNING images, output_tokens, money, since`

  return { reserve, look, settle }
}

const make = Effect.fnUntraced(function* ({ migrate = "run", prefix }: SqlOptions) {
  const names = yield* checkedNames(prefix)
  const sql = (yield* SqlClient).withoutTransforms()
  yield* checkDurability(sql)
  yield* runMigrations(sql, names, migrate, ["budget"])
  const { look, reserve, settle } = statementsOn(sql, names.budget)

  const run = (statement: Effect.Effect<ReadonlyArray<unknown>, SqlError>) =>
    statement.pipe(
      Effect.retry({ while: isBusy, schedule: whileBusy }),
      Effect.flatMap(decode),
      Effect.map(([row]) =>
        row === undefined
          ? undefined
          : {
              used: {
                images: Number(row.images),
                outputTokens: Number(row.output_tokens),
                money: Number(row.money)
              },
              since: Number(row.since)
            }
      ),
      Effect.mapError(failureOf)
    )
  return BudgetLedger.of({
    reserve: Effect.fnUntraced(function* (request) {
      // If the key has no row yet, the statement inserts one without comparing it with the limits, so the amounts are
      // compared with the limits here first.
      const count = isWithin(request.amounts, request.limits) ? yield* run(reserve(request)) : undefined
      if (count !== undefined) return { isReserved: true, ...count }
      return { isReserved: false, used: nothing, since: 0, ...(yield* run(look(request))) }
    }),
    settle: (settlement) => Effect.asVoid(run(settle(settlement)))
  })
})

/**
 * Provides the ledger of a budget in a SQL database, which may be that of the journal.
 *
 * @category layers
 * @since 0.1.0
 */
export const layer = (
  options: SqlOptions = {}
): Layer.Layer<BudgetLedger, GradientError.GradientError | MigrationError | SqlError, SqlClient> =>
  Layer.effect(BudgetLedger, make(options))
