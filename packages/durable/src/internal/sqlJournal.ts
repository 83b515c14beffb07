/**
 * The journal in SQL. Each move of `stateMachine.ts` is one statement. The database checks the condition of the move,
 * so that any number of processes can share the journal.
 */
import * as Effect from "effect/Effect"
import * as Option from "effect/Option"
import * as Schema from "effect/Schema"
import { SqlClient } from "effect/sql/SqlClient"
import type { SqlError } from "effect/sql/SqlError"
import type { Fragment } from "effect/sql/Statement"
import { type Count, type Filter, type Found, JournalFailure } from "./journalModels.ts"
import { completable, type Move, repeated, resting, type Row, withExtra } from "./stateMachine.ts"
import { isBusy, whileBusy } from "./sqlBusy.ts"
import { checkDurability, checkedNames, type Names, runMigrations } from "./sqlTables.ts"

/**
 * Options of the tables in SQL: those of the journal, of rate limits and of budgets.
 *
 * @category models
 * @since 0.1.0
 */
export interface SqlOptions {
  /**
   * The prefix of the names of the tables: 1 to 41 ASCII letters, digits and underscores, of which the first is not a
   * digit. Default: `gradient_`.
   */
  readonly prefix?: string | undefined
  /**
   * `run` creates the tables and adds what is missing in older ones. `check` changes nothing and fails if a table that
   * the layer needs does not exist. Default: `run`.
   */
  readonly migrate?: "run" | "check" | undefined
}

const Integer = Schema.Union([Schema.Finite, Schema.FiniteFromString, Schema.BigInt])
const OptionalInteger = Schema.NullOr(Integer)
const OptionalText = Schema.NullOr(Schema.String)

/** A row as the database returns it. PostgreSQL returns large integers as text or as bigint. */
const SqlRow = Schema.Struct({
  id: Schema.String,
  key: OptionalText,
  state: Schema.String,
  attempt: Integer,
  token: Schema.String,
  holder: Schema.String,
  lease_until: Integer,
  note: OptionalText,
  salt: OptionalText,
  digest: OptionalText,
  labels: Schema.fromJsonString(Schema.Record(Schema.String, Schema.String)),
  model: Schema.String,
  n: Integer,
  images: Integer,
  folder: OptionalText,
  extra: Schema.String,
  input_tokens: OptionalInteger,
  output_tokens: OptionalInteger,
  total_tokens: OptionalInteger,
  created_at: Integer,
  sent_at: Integer,
  updated_at: Integer,
  is_lapsed: Schema.optional(Integer)
})

const Counts = Schema.Array(
  Schema.Struct({
    status: Schema.Literals(["done", "sending", "in-doubt", "failed", "free", "abandoned", "expired"]),
    generations: Integer,
    images: Integer,
    totalTokens: Integer
  }).pipe(Schema.encodeKeys({ totalTokens: "total_tokens" }))
)
const decodeCounts = (rows: unknown): Effect.Effect<ReadonlyArray<Count>, Schema.SchemaError> =>
  Effect.map(Schema.decodeUnknownEffect(Counts)(rows), (counts) =>
    counts.map(({ generations, images, status, totalTokens }) => ({
      status,
      generations: Number(generations),
      images: Number(images),
      totalTokens: Number(totalTokens)
    }))
  )

const decodeRows = Schema.decodeUnknownEffect(Schema.Array(SqlRow))
const number = (value: number | bigint | null): number | undefined => (value === null ? undefined : Number(value))

const toFound = (row: typeof SqlRow.Type): Found => ({
  isLapsed: Number(row.is_lapsed ?? 0) === 1,
  row: {
    id: row.id,
    key: row.key ?? undefined,
    state: row.state,
    attempt: Number(row.attempt),
    token: row.token,
    holder: row.holder,
    leaseUntil: Number(row.lease_until),
    note: row.note ?? undefined,
    salt: row.salt ?? undefined,
    digest: row.digest ?? undefined,
    labels: row.labels,
    model: row.model,
    n: Number(row.n),
    images: Number(row.images),
    folder: row.folder ?? undefined,
    extra: row.extra === "" ? [] : row.extra.split(" "),
    tokens: {
      input: number(row.input_tokens),
      output: number(row.output_tokens),
      total: number(row.total_tokens)
    },
    createdAt: Number(row.created_at),
    sentAt: Number(row.sent_at),
    updatedAt: Number(row.updated_at)
  }
})

/**
 * Whether the failure may be temporary. A failure that the driver cannot classify counts as temporary, because it may
 * come from a server that is starting or shutting down.
 */
const isPassing = ({ isRetryable, reason }: SqlError) => isRetryable || reason._tag === "UnknownError"

/** The message of the driver, followed by the message of the database if the driver left it out. */
const wordsOf = ({ message, reason: { cause } }: SqlError) =>
  cause instanceof Error && !message.includes(cause.message) ? `${message}: ${cause.message}` : message

const failureOf = (error: SqlError | Schema.SchemaError): JournalFailure =>
  error._tag === "SqlError"
    ? new JournalFailure({ message: wordsOf(error), cause: error, isRetryable: isPassing(error) })
    : new JournalFailure({
        message: `The journal has a row that this version cannot read: ${error.message}`,
        cause: error,
        isRetryable: false
      })

const dayMillis = 86_400_000

/** Makes the SQL statements of the journal for these tables. */
const statementsOn = (sql: SqlClient, { generation, holder }: Names) => {
  const table = sql(generation)
  const holders = sql(holder)
  const now = sql.onDialectOrElse({
    pg: () => sql`CAST(EXTRACT(EPOCH FROM clock_timestamp()) * 1000 AS BIGINT)`,
    orElse: () => sql`CAST(unixepoch('subsec') * 1000 AS INTEGER)`
  })
  const millis = (value: number) => sql`CAST(${value} AS BIGINT)`
  const isLapsed = sql`(g.state = 'sending' AND g.lease_until <= ${now}
    AND NOT EXISTS (SELECT 1 FROM ${holders} AS h WHERE h.id = g.holder AND h.alive_until > ${now}))`
  const isInDoubt = (attempt: number) => sql`g.attempt = ${attempt} AND (g.state = 'doubt' OR ${isLapsed})`
  const isHolders = (token: string) => sql`g.state = 'sending' AND g.token = ${token}`
  const update = (id: string, changes: Fragment, condition: Fragment) =>
    sql`UPDATE ${table} AS g SET ${changes}, updated_at = ${now} WHERE g.id = ${id} AND (${condition}) RETURNING *`

  const begin = (
    id: string,
    { digest, holder: by, key, labels, leaseMillis, model, n, salt, token }: MoveOf<"Begin">
  ) =>
    sql`INSERT INTO ${table} AS g
      (id, key, state, attempt, token, holder, lease_until, salt, digest, labels, model, n, images, created_at, sent_at, updated_at)
      VALUES (${id}, ${key ?? null}, 'sending', 1, ${token}, ${by}, ${now} + ${millis(leaseMillis)}, ${salt ?? null},
        ${digest ?? null}, ${JSON.stringify(labels)}, ${model}, ${n}, 0, ${now}, ${now}, ${now})
      ON CONFLICT (id) DO UPDATE SET
        attempt = CASE WHEN g.state = 'free' THEN g.attempt + 1 ELSE g.attempt END,
        lease_until = CASE WHEN g.state = 'free' THEN excluded.lease_until ELSE g.lease_until END,
        state = 'sending', note = NULL, folder = NULL, images = 0,
        input_tokens = NULL, output_tokens = NULL, total_tokens = NULL,
        key = excluded.key, token = excluded.token, holder = excluded.holder, salt = excluded.salt,
        digest = excluded.digest, labels = excluded.labels, model = excluded.model, n = excluded.n,
        sent_at = excluded.sent_at, updated_at = excluded.updated_at
      WHERE g.state = 'free' OR (g.state = 'sending' AND g.token = excluded.token)
      RETURNING *`

  const complete = (id: string, move: MoveOf<"Complete">) =>
    sql`INSERT INTO ${table} AS g
      (id, key, state, attempt, token, holder, lease_until, salt, digest, labels, model, n, images, folder,
        input_tokens, output_tokens, total_tokens, created_at, sent_at, updated_at)
      VALUES (${id}, ${move.key ?? null}, 'done', ${move.attempt}, ${move.token}, '', ${now}, ${move.salt ?? null},
        ${move.digest ?? null}, ${JSON.stringify(move.labels)}, ${move.model}, ${move.n}, ${move.images}, ${move.folder},
        ${move.tokens.input ?? null}, ${move.tokens.output ?? null}, ${move.tokens.total ?? null}, ${now}, ${now}, ${now})
      ON CONFLICT (id) DO UPDATE SET state = 'done', note = NULL, images = excluded.images, folder = excluded.folder,
        input_tokens = excluded.input_tokens, output_tokens = excluded.output_tokens,
        total_tokens = excluded.total_tokens, updated_at = excluded.updated_at,
        key = excluded.key, salt = excluded.salt, digest = excluded.digest, labels = excluded.labels,
        model = excluded.model, n = excluded.n
      WHERE g.state IN ${sql.in(completable)}
      RETURNING *`

  const move = (id: string, made: Move) => {
    switch (made._tag) {
      case "Begin":
        return begin(id, made)
      case "Release":
        return update(id, sql`state = 'free', note = ${made.note}`, isHolders(made.token))
      case "Doubt":
        return update(id, sql`state = 'doubt', note = ${made.note}, images = ${made.images}`, isHolders(made.token))
      case "Complete":
        return complete(id, made)
      case "Extra":
        return update(
          id,
          sql`extra = CASE WHEN g.extra = '' THEN ${made.folder} ELSE g.extra || ' ' || ${made.folder} END`,
          sql`g.state IN ${sql.in(withExtra)} AND COALESCE(g.folder, '') <> ${made.folder}
            AND (' ' || g.extra || ' ') NOT LIKE ('% ' || ${made.folder} || ' %')`
        )
      case "Repeat":
        return update(
          id,
          sql`state = 'free', note = ${repeated}`,
          sql`(${isInDoubt(made.attempt)}) OR (g.state = 'abandoned' AND g.attempt = ${made.attempt})`
        )
      case "Abandon":
        return update(id, sql`state = 'abandoned', note = NULL`, isInDoubt(made.attempt))
      case "Expire":
        return update(id, sql`state = 'expired', images = 0`, sql`g.state = 'done' AND g.token = ${made.token}`)
      case "Erase":
        return update(
          id,
          sql`state = 'expired', images = 0, extra = '', key = NULL, salt = NULL, digest = NULL, labels = '{}'`,
          sql`g.state IN ${sql.in(resting)} AND g.token = ${made.token}`
        )
      case "Forget":
        return sql`DELETE FROM ${table} AS g
          WHERE g.id = ${id} AND g.token = ${made.token} AND g.state IN ${sql.in(resting)} RETURNING *`
    }
  }

  const select = (condition: Fragment) =>
    sql`SELECT g.*, CASE WHEN ${isLapsed} THEN 1 ELSE 0 END AS is_lapsed FROM ${table} AS g WHERE ${condition}`

  const list = ({ after, createdBefore, limit, notStates, prefix, states, untouchedFor }: Filter) => {
    const conditions = [
      states && sql`g.state IN ${sql.in(states)}`,
      notStates && sql`g.state NOT IN ${sql.in(notStates)}`,
      prefix && sql`substr(g.key, 1, length(${prefix})) = ${prefix}`,
      createdBefore !== undefined && sql`g.created_at < ${millis(createdBefore)}`,
      untouchedFor !== undefined && sql`g.updated_at < ${now} - ${millis(untouchedFor)}`,
      after && sql`(g.created_at, g.id) < (${millis(after.createdAt)}, ${after.id})`
    ].filter((condition) => condition !== undefined && condition !== false && condition !== "")
    return sql`${select(sql.and(conditions))} ORDER BY g.created_at DESC, g.id DESC LIMIT ${limit}`
  }

  const count = (prefix: string) =>
    sql`SELECT CASE WHEN ${isLapsed} THEN 'in-doubt'
        WHEN g.state = 'free' AND g.note IS NOT NULL AND g.note <> ${repeated} THEN 'failed'
        WHEN g.state IN ${sql.in(known)} THEN g.state ELSE 'in-doubt' END AS status,
      COUNT(*) AS generations, SUM(g.images) AS images, COALESCE(SUM(g.total_tokens), 0) AS total_tokens
      FROM ${table} AS g WHERE substr(COALESCE(g.key, ''), 1, length(${prefix})) = ${prefix} GROUP BY 1 ORDER BY 1`

  /**
   * Ends the lease of this process. Also removes leases that ended more than a day ago, which killed processes have
   * left behind.
   */
  const end = (id: string) =>
    sql`DELETE FROM ${holders} WHERE id = ${id} OR alive_until < ${now} - ${millis(dayMillis)}`

  const renew = (id: string, leaseMillis: number) =>
    sql`INSERT INTO ${holders} AS h (id, alive_until) VALUES (${id}, ${now} + ${millis(leaseMillis)})
      ON CONFLICT (id) DO UPDATE SET alive_until = excluded.alive_until`

  return { move, list, count, end, renew, find: (id: string) => select(sql`g.id = ${id}`) }
}

/**
 * The states that `count` returns as the status, unless the row has lapsed or is `free` after a failure or an
 * interruption. For any other state, the status is `in-doubt`.
 */
const known = ["done", "sending", "free", "abandoned", "expired"]

type MoveOf<Tag extends Move["_tag"]> = Extract<Move, { _tag: Tag }>

/** Makes the journal in the database that the context provides. */
export const makeSql = Effect.fnUntraced(function* ({ migrate = "run", prefix }: SqlOptions) {
  const names = yield* checkedNames(prefix)
  const sql = (yield* SqlClient).withoutTransforms()
  yield* checkDurability(sql)
  yield* runMigrations(sql, names, migrate, ["generation", "holder"])
  const statements = statementsOn(sql, names)
  const run = (statement: Effect.Effect<ReadonlyArray<unknown>, SqlError>) =>
    statement.pipe(
      Effect.flatMap(decodeRows),
      Effect.retry({ while: isBusy, schedule: whileBusy }),
      Effect.mapBoth({ onFailure: failureOf, onSuccess: (rows) => rows.map(toFound) })
    )
  const rowOf = ([found]: ReadonlyArray<Found>): Option.Option<Row> => Option.fromNullishOr(found?.row)
  return {
    move: (id: string, move: Move) => Effect.map(run(statements.move(id, move)), rowOf),
    find: (id: string) => Effect.map(run(statements.find(id)), ([found]) => Option.fromNullishOr(found)),
    list: (filter: Filter) => run(statements.list(filter)),
    count: (keyStart: string) =>
      statements
        .count(keyStart)
        .pipe(
          Effect.flatMap(decodeCounts),
          Effect.retry({ while: isBusy, schedule: whileBusy }),
          Effect.mapError(failureOf)
        ),
    renew: (holder: string, leaseMillis: number) =>
      Effect.asVoid(run(leaseMillis === 0 ? statements.end(holder) : statements.renew(holder, leaseMillis)))
  }
})
