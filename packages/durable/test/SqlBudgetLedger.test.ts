import { type Amounts, BudgetLedger, nothing, type Request, type Reservation } from "@effect-gradient/core/BudgetLedger"
import { Images } from "@effect-gradient/core"
import * as ImagesBudget from "@effect-gradient/core/ImagesBudget"
import { TestTransport } from "@effect-gradient/core/testing"
import { describe, expect, it } from "@effect/vitest"
import * as PgClient from "@effect/sql-pg/PgClient"
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import * as Option from "effect/Option"
import * as Redacted from "effect/Redacted"
import { execFile, spawn } from "node:child_process"
import { once } from "node:events"
import { mkdtempSync } from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { promisify } from "node:util"
import { DurableImages, SqlBudgetLedger } from "../src/index.ts"
import { SqliteClient } from "../src/node/index.ts"
import { bundled } from "./support/programs.ts"
import { answering, processOn, shared } from "./support/Durable.ts"
import { postgres } from "./support/postgres.ts"
import { service } from "./support/processes.ts"

const sqlite = () => join(mkdtempSync(join(tmpdir(), "budget-")), "journal.db")

const program = bundled("budgetedProcess")

/** The number of images of each call. The service replies with two images to each request. */
const n = 2

const run = (plan: { readonly baseUrl: string; readonly ledger: string; readonly images: number }) =>
  Effect.map(
    Effect.promise(() => promisify(execFile)(process.execPath, [program, JSON.stringify({ ...plan, n, calls: 20 })])),
    ({ stdout }) => Number(stdout)
  )

const sumOf = (counts: Iterable<number>) => [...counts].reduce((sum, count) => sum + count, 0)

/**
 * Runs two processes with one budget. Returns how many of their calls succeeded, and how many requests the service got.
 */
const twoProcesses = Effect.fnUntraced(function* (ledger: string) {
  const { baseUrl, generations } = yield* service
  const plan = { baseUrl, ledger, images: 31 }
  const succeeded = yield* Effect.all([run(plan), run(plan)], { concurrency: 2 })
  return { succeeded: sumOf(succeeded), requests: sumOf(generations.values()) }
}, Effect.scoped)

describe("a budget of 31 images over two processes is never exceeded, and used to its end", () => {
  it.live(
    "on SQLite",
    () =>
      Effect.gen(function* () {
        expect(yield* twoProcesses(sqlite())).toEqual({ succeeded: 15, requests: 15 })
      }),
    60_000
  )

  it.live(
    "on PostgreSQL",
    (context) =>
      Effect.gen(function* () {
        const server = yield* postgres
        if (Option.isNone(server)) return context.skip("PostgreSQL does not start here")
        expect(yield* twoProcesses(server.value.url)).toEqual({ succeeded: 15, requests: 15 })
      }).pipe(Effect.scoped),
    120_000
  )
})

describe("a process that is killed", () => {
  it.live(
    "leaves what it had reserved counted: all requests of both processes are within the budget",
    () =>
      Effect.gen(function* () {
        const { baseUrl, generations } = yield* service
        const plan = { baseUrl, ledger: sqlite(), images: 20 }
        const killed = spawn(process.execPath, [program, JSON.stringify({ ...plan, n, calls: 20 })])
        const exit = once(killed, "exit")
        yield* Effect.repeat(Effect.sleep("1 milli"), { until: () => sumOf(generations.values()) > 0 })
        killed.kill("SIGKILL")
        yield* Effect.promise(() => exit)
        yield* run(plan)
        const requests = sumOf(generations.values())
        expect(requests).toBeLessThanOrEqual(10)
        // The second process has used up what the killed one had left of the budget.
        expect(yield* run(plan)).toBe(0)
        expect(sumOf(generations.values())).toBe(requests)
      }).pipe(Effect.scoped),
    60_000
  )
})

describe("a budget around durable generations", () => {
  const order = (idempotencyKey: string) => Images.generate({ prompt: "a sea otter" }, { idempotencyKey })
  const budget = ImagesBudget.layer({ images: 1 }).pipe(
    Layer.provide(SqlBudgetLedger.layer()),
    Layer.provide(SqliteClient.layer({ filename: ":memory:" }))
  )

  it.live("counts a key once: asking again sends nothing and counts nothing; another key exceeds it, and is free", () =>
    Effect.gen(function* () {
      const process = yield* processOn(yield* shared, answering)
      yield* Effect.gen(function* () {
        yield* order("first")
        yield* order("first")
        expect((yield* Effect.flip(order("second"))).reason._tag).toBe("BudgetExceededError")
      }).pipe(Effect.provide(budget), Effect.provide(process))
      const second = yield* Effect.provide(DurableImages.get("second"), process)
      expect(Option.getOrUndefined(second)?.status ?? "free").toBe("free")
      expect((yield* Effect.provide(TestTransport.requests, process)).length).toBe(1)
    }).pipe(Effect.scoped)
  )
})

const unlimited = Number.MAX_SAFE_INTEGER
const limits = { images: 4, outputTokens: unlimited, money: 900_000 }
const amounts = { images: 2, outputTokens: 14_000, money: 400_000 }

const reserve = (request: Partial<Request> & Pick<Request, "key">) =>
  Effect.flatMap(BudgetLedger, (ledger) => ledger.reserve({ amounts, limits, window: undefined, ...request }))
const settle = (key: string, { since }: Reservation, used: Amounts) =>
  Effect.flatMap(BudgetLedger, (ledger) => ledger.settle({ key, since, reserved: amounts, used }))

/**
 * The behaviours that the ledger must have on every database: a title, what is done, whether the last reservation
 * succeeds, and how many images are counted after it.
 */
const behaviours = [
  ["adds up to the limit", Effect.andThen(reserve({ key: "a" }), reserve({ key: "a" })), true, 4],
  ["refuses what exceeds a limit", reserve({ key: "a", amounts: { ...amounts, money: 900_000 } }), false, 4],
  ["refuses a first request above the limit", reserve({ key: "b", amounts: { ...amounts, images: 5 } }), false, 0],
  [
    "replaces what was reserved by what was used",
    Effect.gen(function* () {
      yield* settle("c", yield* reserve({ key: "c" }), { images: 1, outputTokens: 5, money: 600_000 })
      return yield* reserve({ key: "c" })
    }),
    false,
    1
  ],
  [
    "starts again at 0 when the window has ended, and ignores settlements of earlier windows",
    Effect.gen(function* () {
      const before = yield* reserve({ key: "d" })
      yield* Effect.sleep("20 millis")
      yield* reserve({ key: "d", window: Duration.millis(10), amounts: { ...amounts, images: 3 } })
      yield* settle("d", before, nothing)
      return yield* reserve({ key: "d", window: Duration.hours(1) })
    }),
    false,
    3
  ]
] as const

/** The results of all behaviours on one database, in the order of `behaviours`. */
const outcomes = Effect.forEach(behaviours, ([title, behaviour]) =>
  Effect.map(behaviour, ({ isReserved, used }) => [title, isReserved, used.images])
)
const expected = behaviours.map(([title, , isReserved, images]) => [title, isReserved, images])

describe("the ledger in SQL reserves, refuses, settles, and starts again with each window", () => {
  it.live("on SQLite", () =>
    Effect.gen(function* () {
      const ledger = SqlBudgetLedger.layer().pipe(Layer.provide(SqliteClient.layer({ filename: ":memory:" })))
      expect(yield* Effect.provide(outcomes, ledger)).toEqual(expected)
    })
  )

  it.live(
    "on PostgreSQL",
    (context) =>
      Effect.gen(function* () {
        const server = yield* postgres
        if (Option.isNone(server)) return context.skip("PostgreSQL does not start here")
        const client = PgClient.layer({ url: Redacted.make(server.value.url) })
        expect(yield* Effect.provide(outcomes, SqlBudgetLedger.layer().pipe(Layer.provide(client)))).toEqual(expected)
      }).pipe(Effect.scoped),
    120_000
  )
})
