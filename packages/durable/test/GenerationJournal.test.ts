import { GradientError } from "@effect-gradient/core"
import { describe, expect, it } from "@effect/vitest"
import * as PgClient from "@effect/sql-pg/PgClient"
import * as Context from "effect/Context"
import * as Effect from "effect/Effect"
import * as Fiber from "effect/Fiber"
import * as Layer from "effect/Layer"
import * as Option from "effect/Option"
import * as Redacted from "effect/Redacted"
import { SqlClient } from "effect/sql/SqlClient"
import fc from "fast-check"
import { mkdtempSync } from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { DatabaseSync } from "node:sqlite"
import { GenerationJournal, SqlBudgetLedger, SqlRateLimiterStore } from "../src/index.ts"
import { SqliteClient } from "../src/node/index.ts"
import { postgres } from "./support/postgres.ts"

const { Move } = GenerationJournal
type Journal = GenerationJournal.GenerationJournal["Service"]

const asked = { key: "a/key", salt: "s", digest: "v1:d", labels: { team: "otters" }, model: "m", n: 2 }
/** What another attempt asked for. It differs from `asked`. */
const completed = { salt: "other", digest: "v1:other", labels: {}, model: "other", n: 3 }
const tokens = { input: 10, output: undefined, total: 5_000_000_000 }
const leaseMillis = 60_000

const token = fc.constantFrom("t1", "t2", "t3")
const attempt = fc.integer({ min: 1, max: 3 })

/** Any move. A `Begin` comes from a process with a lease or from one whose lease has ended. */
const anyMove: fc.Arbitrary<GenerationJournal.Move> = fc.oneof(
  token.map((name) => Move.Begin({ ...asked, token: name, holder: name === "t1" ? "alive" : "dead", leaseMillis: 0 })),
  fc.record({ token, note: fc.constant("RateLimitError") }).map((given) => Move.Release(given)),
  fc.record({ token, note: fc.constant("Disconnected"), images: fc.constant(1) }).map((given) => Move.Doubt(given)),
  fc
    .record({ token, attempt })
    .map((given) =>
      Move.Complete({ ...asked, ...completed, ...given, folder: `${given.attempt}-${given.token}`, images: 2, tokens })
    ),
  attempt.map((number) => Move.Repeat({ attempt: number })),
  attempt.map((number) => Move.Abandon({ attempt: number })),
  fc.record({ attempt, token }).map((given) => Move.Extra({ folder: `${given.attempt}-${given.token}` })),
  token.map((given) => Move.Expire({ token: given })),
  token.map((given) => Move.Erase({ token: given })),
  token.map((given) => Move.Forget({ token: given }))
)

/** The row without its times, which differ between the clocks of two journals. */
const withoutTimes = (row: Option.Option<GenerationJournal.Row>) =>
  Option.getOrUndefined(
    Option.map(row, ({ createdAt: _c, leaseUntil: _l, sentAt: _s, updatedAt: _u, ...rest }) => rest)
  )

const newMemory = Effect.map(Effect.scoped(Layer.build(GenerationJournal.layerMemory)), (context) =>
  Context.get(context, GenerationJournal.GenerationJournal)
)

let generations = 0

/** Applies the same moves to the journal in memory and to the journal in SQL, and compares each answer and each row. */
const sameAsMemory = (sqlJournal: Journal) =>
  fc.asyncProperty(fc.array(anyMove, { maxLength: 30, size: "max" }), async (moves) => {
    const id = `id ${++generations}`
    await Effect.runPromise(
      Effect.gen(function* () {
        const memory = yield* newMemory
        for (const journal of [memory, sqlJournal]) {
          yield* journal.renew("alive", leaseMillis)
          yield* journal.renew("dead", 0)
        }
        for (const move of moves) {
          const [expected, actual] = [yield* memory.move(id, move), yield* sqlJournal.move(id, move)]
          expect({ move, row: withoutTimes(actual) }).toEqual({ move, row: withoutTimes(expected) })
          const [inMemory, inSql] = [yield* memory.find(id), yield* sqlJournal.find(id)]
          expect(Option.map(inSql, ({ isLapsed }) => isLapsed)).toEqual(
            Option.map(inMemory, ({ isLapsed }) => isLapsed)
          )
          expect(withoutTimes(Option.map(inSql, ({ row }) => row))).toEqual(
            withoutTimes(Option.map(inMemory, ({ row }) => row))
          )
        }
      })
    )
  })

const begin = (name: string) => Move.Begin({ ...asked, token: name, holder: "h", leaseMillis })

const release = Move.Release({ token: "t1", note: "RateLimitError" })
const doubt = Move.Doubt({ token: "t1", note: "Disconnected", images: 1 })
const complete = Move.Complete({ ...asked, attempt: 1, token: "t1", folder: "1-t1", images: 2, tokens })
const abandon = Move.Abandon({ attempt: 1 })

/** For each state, the moves that lead to it from an id without a row. */
const toState = {
  none: [],
  sending: [begin("t1")],
  free: [begin("t1"), release],
  doubt: [begin("t1"), doubt],
  abandoned: [begin("t1"), doubt, abandon],
  done: [begin("t1"), complete],
  expired: [begin("t1"), complete, Move.Expire({ token: "t1" })]
}

/**
 * For each state, the moves that change a row in it, and the state that follows. The other moves of `oneOfEach` do not
 * change the row.
 */
const changes: Readonly<Record<string, Readonly<Record<string, string>>>> = {
  none: { Begin: "sending", Complete: "done" },
  sending: { Release: "free", Doubt: "doubt", Complete: "done" },
  free: { Begin: "sending", Complete: "done", Erase: "expired", Forget: "none" },
  doubt: { Complete: "done", Repeat: "free", Abandon: "abandoned" },
  abandoned: { Complete: "done", Repeat: "free", Erase: "expired", Forget: "none" },
  done: { Extra: "done", Expire: "expired", Erase: "expired", Forget: "none" },
  expired: { Extra: "expired", Erase: "expired", Forget: "none" }
}

/** One move of each kind. Those that name an attempt name attempt 1. */
const oneOfEach = [
  begin("t2"),
  release,
  doubt,
  complete,
  Move.Extra({ folder: "1-t9" }),
  Move.Repeat({ attempt: 1 }),
  abandon,
  Move.Expire({ token: "t1" }),
  Move.Erase({ token: "t1" }),
  Move.Forget({ token: "t1" })
]

const stateOf = (journal: Journal, id: string) =>
  Effect.map(journal.find(id), (found) => (Option.isNone(found) ? "none" : found.value.row.state))

/**
 * Applies the moves to a new id, and then applies `last`. Returns the row that `last` returned, and the state
 * afterwards.
 */
const moved = Effect.fnUntraced(function* (
  journal: Journal,
  moves: ReadonlyArray<GenerationJournal.Move>,
  last: GenerationJournal.Move
) {
  const id = `moved ${++generations}`
  for (const move of moves) yield* journal.move(id, move)
  const row = yield* journal.move(id, last)
  return { row, state: yield* stateOf(journal, id) }
})

/** Checks the rules that the journal keeps on any database. */
const contract = (journal: Journal) =>
  Effect.gen(function* () {
    yield* Effect.promise(() => fc.assert(sameAsMemory(journal), { numRuns: 60 }))

    // If many processes begin at once, one of them gets the permission to send.
    const names = Array.from({ length: 20 }, (_, index) => `token ${index}`)
    const begun = yield* Effect.forEach(names, (name) => journal.move("contended", begin(name)), {
      concurrency: "unbounded"
    })
    expect(begun.filter(Option.isSome).length).toBe(1)

    // Each page begins after the last row of the previous page. A `%` in a prefix is not a wildcard.
    for (const name of ["p%/1", "p%/2", "px/3"]) {
      yield* journal.move(`listed ${name}`, Move.Begin({ ...asked, key: name, token: name, holder: "h", leaseMillis }))
    }
    const first = yield* journal.list({ prefix: "p%", limit: 1 })
    const rest = yield* journal.list({ prefix: "p%", limit: 10, after: first[0]?.row })
    expect(new Set([...first, ...rest].map(({ row }) => row.key))).toEqual(new Set(["p%/1", "p%/2"]))
    expect(yield* journal.list({ prefix: "p%", states: ["done"], limit: 10 })).toEqual([])
    expect((yield* journal.list({ prefix: "p%", notStates: ["done", "free"], limit: 10 })).length).toBe(2)
    expect(yield* journal.list({ prefix: "p%", notStates: ["done", "sending"], limit: 10 })).toEqual([])
    expect(yield* journal.list({ prefix: "p%", untouchedFor: 60_000, limit: 10 })).toEqual([])
  })

const file = () => join(mkdtempSync(join(tmpdir(), "journal-")), "journal.db")
const onSqlite = (filename: string, options?: GenerationJournal.SqlOptions) =>
  GenerationJournal.layerSql(options).pipe(Layer.provideMerge(SqliteClient.layer({ filename })))

describe.each([
  { name: "in memory", layer: () => GenerationJournal.layerMemory },
  { name: "on SQLite", layer: () => onSqlite(file()) }
])("a generation $name", ({ layer }) => {
  const withJournal = <E>(test: (journal: Journal) => Effect.Effect<void, E>) =>
    Effect.scoped(
      Effect.flatMap(Layer.build(layer()), (context) => test(Context.get(context, GenerationJournal.GenerationJournal)))
    )

  it.live.each(Object.entries(toState))("that is %s is changed by its moves alone", ([state, moves]) =>
    withJournal((journal) =>
      Effect.gen(function* () {
        const found: Record<string, string> = {}
        for (const move of oneOfEach) {
          const { row, state: after } = yield* moved(journal, moves, move)
          // A move has changed something if it returned a row, or if the state is another one.
          if (Option.isSome(row) || after !== state) found[move._tag] = after
        }
        expect({ [state]: found }).toEqual({ [state]: changes[state] })
      })
    )
  )

  it.live("that is in doubt or abandoned is not changed by a decision about another attempt", () =>
    withJournal((journal) =>
      Effect.gen(function* () {
        for (const move of [Move.Repeat({ attempt: 2 }), Move.Abandon({ attempt: 2 })]) {
          expect((yield* moved(journal, toState.doubt, move)).state).toBe("doubt")
          expect((yield* moved(journal, toState.abandoned, move)).state).toBe("abandoned")
        }
      })
    )
  )

  it.live("that was erased is counted only without a prefix", () =>
    withJournal((journal) =>
      Effect.gen(function* () {
        yield* moved(journal, toState.done, Move.Erase({ token: "t1" }))
        expect(yield* journal.count("")).toMatchObject([{ status: "expired", generations: 1 }])
        expect(yield* journal.count("k")).toEqual([])
      })
    )
  )

  it.live("keeps the time of its first attempt, and each attempt has a lease of its own", () =>
    withJournal((journal) =>
      Effect.gen(function* () {
        const first = Option.getOrThrow(yield* journal.move("twice", begin("t1")))
        yield* journal.move("twice", release)
        yield* Effect.sleep("5 millis")
        const second = Option.getOrThrow(yield* journal.move("twice", begin("t2")))
        expect(first.createdAt).toBe(first.sentAt)
        expect(second.createdAt).toBe(first.createdAt)
        expect(second.sentAt).toBeGreaterThan(first.sentAt)
        for (const { leaseUntil, sentAt } of [first, second]) expect(leaseUntil - sentAt).toBe(leaseMillis)
      })
    )
  )
})

describe("the journal on SQLite", () => {
  it.live("does as the pure state machine does", () =>
    Effect.gen(function* () {
      const context = yield* Layer.build(onSqlite(file()))
      yield* contract(Context.get(context, GenerationJournal.GenerationJournal))
    }).pipe(Effect.scoped)
  )

  it.live("is shared by several clients of one file", () =>
    Effect.gen(function* () {
      const filename = file()
      const contexts = yield* Effect.forEach([1, 2, 3], () => Layer.build(onSqlite(filename)), {
        concurrency: "unbounded"
      })
      const journals = contexts.map((context) => Context.get(context, GenerationJournal.GenerationJournal))
      const begun = yield* Effect.forEach(
        Array.from({ length: 60 }, (_, index) => index),
        (index) =>
          Effect.orElseSucceed(
            journals[index % 3]?.move(`id ${index % 5}`, begin(`t ${index}`)) ?? Effect.die(0),
            Option.none
          ),
        { concurrency: "unbounded" }
      )
      expect(begun.filter(Option.isSome).length).toBe(5)
    }).pipe(Effect.scoped)
  )

  it.live("keeps its tables beside those and the migrations of its user, also with a prefix", () =>
    Effect.gen(function* () {
      const filename = file()
      const context = yield* Layer.build(onSqlite(filename, { prefix: "mine_" }))
      const rows = yield* Context.get(
        context,
        SqlClient
      )`SELECT name FROM sqlite_master WHERE type = 'table' ORDER BY name`
      expect(rows.map((row) => row["name"])).toEqual([
        "mine_budget",
        "mine_generation",
        "mine_holder",
        "mine_limit",
        "mine_migration"
      ])
      yield* Layer.build(onSqlite(filename, { prefix: "mine_", migrate: "check" }))
    }).pipe(Effect.scoped)
  )

  it.live("starts although another process has locked the file for a moment", () =>
    Effect.gen(function* () {
      const filename = file()
      yield* Effect.scoped(Layer.build(onSqlite(filename)))
      const other = new DatabaseSync(filename)
      other.exec("BEGIN IMMEDIATE")
      const starting = yield* Effect.forkChild(Layer.build(onSqlite(filename)), { startImmediately: true })
      yield* Effect.sleep("300 millis")
      other.exec("COMMIT")
      other.close()
      yield* Fiber.join(starting)
    }).pipe(Effect.scoped)
  )

  it.live("with migrate: check fails by name if the tables are not there", () =>
    Effect.gen(function* () {
      const error = yield* Effect.flip(Layer.build(onSqlite(file(), { migrate: "check" })))
      expect(error).toMatchObject({ _tag: "MigrationError" })
      expect(error.message).toBe(
        'The database has no tables gradient_generation and gradient_holder. Use migrate: "run" once.'
      )
    }).pipe(Effect.scoped)
  )

  it.live("with migrate: check each layer names the table of its own that is not there", () =>
    Effect.gen(function* () {
      const filename = file()
      const sql = SqliteClient.layer({ filename })
      yield* Effect.scoped(Layer.build(onSqlite(filename)))
      const database = new DatabaseSync(filename)
      database.exec("DROP TABLE gradient_limit; DROP TABLE gradient_budget")
      database.close()
      yield* Layer.build(onSqlite(filename, { migrate: "check" }))
      for (const [name, layer] of [
        ["gradient_limit", Layer.effectDiscard(Layer.build(SqlRateLimiterStore.layer({ migrate: "check" })))],
        ["gradient_budget", Layer.effectDiscard(Layer.build(SqlBudgetLedger.layer({ migrate: "check" })))]
      ] as const) {
        const error = yield* Effect.flip(Effect.provide(Layer.build(layer), sql))
        expect(error).toMatchObject({ _tag: "MigrationError" })
        expect(error.message).toBe(`The database has no table ${name}. Use migrate: "run" once.`)
      }
    }).pipe(Effect.scoped)
  )

  it.live("with migrate: check reports another failure of the database as a SqlError", () =>
    Effect.gen(function* () {
      const filename = file()
      const database = new DatabaseSync(filename)
      database.exec("CREATE VIEW gradient_generation AS SELECT * FROM gone; CREATE TABLE gradient_holder (id TEXT)")
      database.close()
      const error = yield* Effect.flip(Layer.build(onSqlite(filename, { migrate: "check" })))
      expect(error).toMatchObject({ _tag: "SqlError" })
    }).pipe(Effect.scoped)
  )

  it.live("refuses a prefix that is no name, and synchronous below FULL", () =>
    Effect.gen(function* () {
      const prefix = yield* Effect.flip(Layer.build(onSqlite(file(), { prefix: "a; DROP" })))
      expect(GradientError.isGradientError(prefix) && prefix.message).toContain("prefix must be")
      const normal = SqliteClient.layer({ filename: file() })
      const careless = Layer.effect(
        SqlClient,
        Effect.tap(SqlClient, (sql) => sql`PRAGMA synchronous = NORMAL`)
      ).pipe(Layer.provide(normal))
      const error = yield* Effect.flip(Layer.build(GenerationJournal.layerSql().pipe(Layer.provide(careless))))
      expect(GradientError.isGradientError(error) && error.message).toContain("synchronous = FULL")
    }).pipe(Effect.scoped)
  )

  it.live("reports a file that cannot be opened as a SqlError", () =>
    Effect.gen(function* () {
      const error = yield* Effect.flip(Layer.build(onSqlite(join(file(), "no", "folder.db"))))
      expect(error).toMatchObject({ _tag: "SqlError", reason: { _tag: "ConnectionError" } })
    }).pipe(Effect.scoped)
  )
})

describe("the journal on PostgreSQL", () => {
  const onPostgres = (url: string, options?: GenerationJournal.SqlOptions) =>
    GenerationJournal.layerSql(options).pipe(Layer.provideMerge(PgClient.layer({ url: Redacted.make(url) })))

  it.live(
    "does as the pure state machine does, finds missing tables, and refuses synchronous_commit off",
    (context) =>
      Effect.gen(function* () {
        const server = yield* postgres
        if (Option.isNone(server)) return context.skip("PostgreSQL does not start here")
        const { url } = server.value
        const services = yield* Layer.build(onPostgres(url))
        yield* contract(Context.get(services, GenerationJournal.GenerationJournal))
        yield* Layer.build(onPostgres(url, { migrate: "check" }))
        const absent = yield* Effect.flip(Layer.build(onPostgres(url, { migrate: "check", prefix: "Mine_" })))
        expect(absent).toMatchObject({ _tag: "MigrationError" })
        yield* Context.get(services, SqlClient)`ALTER SYSTEM SET synchronous_commit = off`
        yield* Context.get(services, SqlClient)`SELECT pg_reload_conf()`
        yield* Effect.sleep("500 millis")
        const error = yield* Effect.flip(Effect.scoped(Layer.build(onPostgres(url))))
        expect(error.message).toContain("synchronous_commit")
      }).pipe(Effect.scoped),
    60_000
  )
})
