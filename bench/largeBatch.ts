/**
 * `node bench/largeBatch.ts [requests]`: measures a large batch on SQLite and on PostgreSQL, and on SQLite also one
 * with a tenth of its requests, and writes batch-results.md. By default the large batch has 100,000 requests, which
 * takes minutes.
 */
import { writeFileSync } from "node:fs"
import { join } from "node:path"
import { type BatchRun, onPostgres, onSqlite } from "./batch.ts"
import { batchReport } from "./report.ts"

const requests = Number(process.argv[2] ?? 100_000)
const steps = [() => onSqlite(requests / 10), () => onSqlite(requests), () => onPostgres(requests, 3)]
const runs: Array<BatchRun> = []
for (const step of steps) {
  runs.push(await step())
  console.log(runs.at(-1))
  const date = new Date().toISOString().slice(0, 10)
  // The results are written after each step, so that those of the finished steps remain if the run is stopped.
  writeFileSync(
    join(import.meta.dirname, "batch-results.md"),
    `# Large batches\n\nWritten by \`pnpm bench:batch\` on ${date}, with Node ${process.version}.\n\n${batchReport(runs)}\n`
  )
}
