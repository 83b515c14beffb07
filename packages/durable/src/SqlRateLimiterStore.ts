/**
 * Keeps the counts of Effect's `RateLimiter` in a SQL database, such as that of the journal, so that many processes
 * share one limit without Redis. Permits are taken with one atomic statement, which uses the clock of the database.
 * Adaptive limits have no effect.
 *
 * @example
 * ```ts
 * import * as ImagesLimit from "@effect-gradient/core/ImagesLimit"
 * import { SqlRateLimiterStore } from "@effect-gradient/durable"
 * import { SqliteClient } from "@effect-gradient/durable/node"
 * import { NodeImages } from "@effect-gradient/node"
 * import { Layer } from "effect"
 * import { RateLimiter } from "effect/persistence"
 *
 * const limiter = RateLimiter.layer.pipe(
 *   Layer.provide(SqlRateLimiterStore.layer()),
 *   Layer.provide(SqliteClient.layer({ filename: "journal.db" }))
 * )
 * const layer = ImagesLimit.layer({ limit: 250, window: "1 minute" }).pipe(
 *   Layer.provide([NodeImages.layerFromConfig(), limiter])
 * )
 * ```
 */
import type { GradientError } from "@effect-gradient/core"
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import { RateLimiterError, RateLimiterStore, RateLimitStoreError } from "effect/persistence/RateLimiter"
import * as Schema from "effect/Schema"
import type { MigrationError } from "effect/sql/Migrator"
import { SqlClient } from "effect/sql/SqlClient"
import type { SqlError } from "effect/sql/SqlError"
import type { Fragment } from "effect/sql/Statement"
import { isBusy, whileBusy } from "./internal/sqlBusy.ts"
import type { SqlOptions } from "./internal/sqlJournal.ts"
import { checkedNames, runMigrations } from "./internal/sqlTables.ts"

type Store = RateLimiterStore["Service"]

const Numeric = Schema.Union([Schema.Finite, Schema.FiniteFromString])
const Counted = Schema.Array(Schema.Struct({ tokens: Numeric, millis: Numeric }))
const decode = Schema.decodeUnknownEffect(Counted)

const failureOf = (cause: SqlError | Schema.SchemaError) =>
  new RateLimiterError({ reason: new RateLimitStoreError({ message: cause.message, cause }) })

const statementsOn = (sql: SqlClient, name: string) => {
  const table = sql(name)
  const double = (value: number) => sql`CAST(${value} AS DOUBLE PRECISION)`
  const now = sql.onDialectOrElse({
    pg: () => sql`EXTRACT(EPOCH FROM clock_timestamp())::DOUBLE PRECISION * 1000`,
    orElse: () => sql`unixepoch('subsec') * 1000.0`
  })
  const floor = (value: Fragment) =>
    sql.onDialectOrElse({ pg: () => sql`FLOOR(${value})`, orElse: () => sql`CAST(${value} AS INTEGER)` })
  const smaller = (a: Fragment, b: Fragment) => sql`CASE WHEN ${a} < ${b} THEN ${a} ELSE ${b} END`

  /**
   * The algorithm `fixed-window` of Effect. Each token that is taken keeps the count for `refillRate` longer. The
   * column `at` is the time when the count starts again at 0.
   */
  const fixedWindow = ({ key, limit, refillRate, tokens }: Parameters<Store["fixedWindow"]>[0]) => {
    const length = double(Duration.toMillis(refillRate) * tokens)
    const count = sql`(CASE WHEN l.at <= ${now} THEN 0 ELSE l.tokens END + ${double(tokens)})`
    const isAllowed = limit === undefined ? sql`1 = 1` : sql`${count} <= ${double(limit)}`
    return {
      take: sql`INSERT INTO ${table} AS l (key, tokens, at) VALUES (${key}, ${double(tokens)}, ${now} + ${length})
        ON CONFLICT (key) DO UPDATE SET tokens = ${count},
          at = CASE WHEN l.at <= ${now} THEN ${now} ELSE l.at END + ${length}
        WHERE ${isAllowed} RETURNING tokens, at - ${now} AS millis`,
      look: sql`SELECT ${count} AS tokens, l.at - ${now} AS millis FROM ${table} AS l WHERE l.key = ${key}`
    }
  }

  /** A bucket that is refilled over time. The column `at` is the time from which the next refill counts. */
  const tokenBucket = ({ allowOverflow, key, limit, refillRate, tokens }: Parameters<Store["tokenBucket"]>[0]) => {
    const rate = double(Duration.toMillis(refillRate))
    const refills = floor(sql`(${now} - l.at) / ${rate}`)
    const full = double(limit)
    const filled = smaller(full, sql`(l.tokens + ${refills})`)
    const left = sql`(${filled} - ${double(tokens)})`
    const at = sql`CASE WHEN l.tokens + ${refills} >= ${full} THEN ${now} ELSE l.at + ${refills} * ${rate} END`
    return {
      take: sql`INSERT INTO ${table} AS l (key, tokens, at) VALUES (${key}, ${full} - ${double(tokens)}, ${now})
        ON CONFLICT (key) DO UPDATE SET tokens = ${left}, at = ${at}
        WHERE ${allowOverflow ? sql`1 = 1` : sql`${left} >= 0`} RETURNING tokens, ${now} - at AS millis`,
      look: sql`SELECT ${left} AS tokens, ${now} - (${at}) AS millis FROM ${table} AS l WHERE l.key = ${key}`
    }
  }

  return { fixedWindow, tokenBucket }
}

const make = Effect.fnUntraced(function* ({ migrate = "run", prefix }: SqlOptions) {
  const names = yield* checkedNames(prefix)
  const sql = (yield* SqlClient).withoutTransforms()
  yield* runMigrations(sql, names, migrate, ["limit"])
  const statements = statementsOn(sql, names.limit)

  const run = (statement: Fragment & Effect.Effect<ReadonlyArray<unknown>, SqlError>) =>
    statement.pipe(Effect.retry({ while: isBusy, schedule: whileBusy }), Effect.flatMap(decode))
  /** Takes the tokens if the limit allows it. Else changes nothing, and returns what the count would be. */
  const counted = ({ look, take }: ReturnType<(typeof statements)["fixedWindow"]>) =>
    run(take).pipe(
      Effect.flatMap((rows) => (rows.length > 0 ? Effect.succeed(rows) : run(look))),
      Effect.map(([row]) => [row?.tokens ?? 0, Math.max(0, row?.millis ?? 0)] as const),
      Effect.mapError(failureOf)
    )
  return RateLimiterStore.of({
    fixedWindow: (options) => counted(statements.fixedWindow(options)),
    tokenBucket: (options) => counted(statements.tokenBucket(options)),
    adaptiveConsume: () => Effect.succeed({ delay: Duration.zero, epoch: 0, phase: "inactive" }),
    adaptiveFeedback: () => Effect.void
  })
})

/**
 * Provides the store of a `RateLimiter` in a SQL database, which may be that of the journal.
 *
 * @category layers
 * @since 0.1.0
 */
export const layer = (
  options: SqlOptions = {}
): Layer.Layer<RateLimiterStore, GradientError.GradientError | MigrationError | SqlError, SqlClient> =>
  Layer.effect(RateLimiterStore, make(options))
