/**
 * Measures batches: the time, the size of the database and the memory of a runner, with one runner on SQLite, and with
 * one or more on PostgreSQL. The service replies at once with an image of 12 KB.
 */
import * as PgClient from "@effect/sql-pg/PgClient"
import * as Effect from "effect/Effect"
import * as Option from "effect/Option"
import * as Redacted from "effect/Redacted"
import { SqlClient } from "effect/sql/SqlClient"
import { fork } from "node:child_process"
import { once } from "node:events"
import { mkdtempSync, rmSync, statSync } from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { postgres } from "../packages/durable/test/support/postgres.ts"
import type { RunnerPlan } from "./batchRunner.ts"
import { answer, start } from "./process.ts"

export interface BatchRun {
  readonly title: string
  readonly requests: number
  readonly seconds: number
  readonly databaseBytes: number
  /** The peak of resident memory, in bytes, of the runner with the highest peak. */
  readonly peakBytes: number
}

const runner = (plan: RunnerPlan) => {
  const execArgv = ["--max-semi-space-size=16"] // As docs/batches.md advises.
  const child = fork(new URL("batchRunner.ts", import.meta.url), [JSON.stringify(plan)], { execArgv })
  let peakBytes = 0
  child.on("message", (message) => {
    if (typeof message === "number") peakBytes = message
  })
  return { child, begun: once(child, "message"), ended: once(child, "exit"), peak: () => peakBytes }
}

/**
 * Runs a batch with this many runners. Returns its time in seconds, and the highest memory peak of a runner in bytes.
 */
const timeOf = async (plan: RunnerPlan, runners: number) => {
  const before = performance.now()
  const first = runner(plan)
  await first.begun
  const { total: _total, ...shared } = plan
  const others = Array.from({ length: runners - 1 }, () => runner(shared))
  const all = [first, ...others]
  await Promise.all(all.map(({ ended }) => ended))
  return { seconds: (performance.now() - before) / 1000, peakBytes: Math.max(...all.map(({ peak }) => peak())) }
}

/** Runs `use` with a temporary folder and with the test server. Afterwards ends the server and removes the folder. */
const withService = async <A>(use: (folder: string, baseUrl: string) => Promise<A>): Promise<A> => {
  const folder = mkdtempSync(join(tmpdir(), "bench-batch-"))
  const server = start("./server.ts")
  try {
    return await use(folder, `${String(await answer(server))}/json/1/12000`)
  } finally {
    server.disconnect()
    rmSync(folder, { recursive: true, force: true })
  }
}

export const onSqlite = (requests: number): Promise<BatchRun> =>
  withService(async (folder, baseUrl) => {
    const journal = join(folder, "journal.db")
    const plan = { baseUrl, journal, store: join(folder, "images"), total: requests }
    const run = await timeOf(plan, 1)
    return { title: "SQLite, one process", requests, databaseBytes: statSync(journal).size, ...run }
  })

/** The size in bytes of the journal's table with its indexes, in PostgreSQL. */
const tableBytes = Effect.gen(function* () {
  const sql = yield* SqlClient
  const [row] = yield* sql`SELECT pg_total_relation_size('gradient_generation') AS size`
  return Number(row?.["size"])
})

export const onPostgres = (requests: number, runners: number): Promise<BatchRun> =>
  withService(async (folder, baseUrl) => {
    const measure = Effect.fnUntraced(function* () {
      const server = yield* postgres
      if (Option.isNone(server)) {
        return yield* Effect.fail(
          new Error(
            "PostgreSQL cannot be started here. If you are root, it starts only in a folder that all users may enter."
          )
        )
      }
      const { url } = server.value
      const plan = { baseUrl, journal: url, store: join(folder, "images"), total: requests }
      const run = yield* Effect.promise(() => timeOf(plan, runners))
      const databaseBytes = yield* Effect.provide(tableBytes, PgClient.layer({ url: Redacted.make(url) }))
      const title = `PostgreSQL, ${runners} ${runners === 1 ? "runner" : "runners"}`
      return { title, requests, databaseBytes, ...run }
    })
    return Effect.runPromise(Effect.scoped(measure()))
  })

export const measureBatches = async (
  sizes: ReadonlyArray<number>,
  shared: number
): Promise<ReadonlyArray<BatchRun>> => {
  const runs: Array<BatchRun> = []
  for (const requests of sizes) runs.push(await onSqlite(requests))
  for (const runners of [1, 2, 4]) runs.push(await onPostgres(shared, runners))
  return runs
}
