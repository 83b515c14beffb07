/**
 * Measures a large batch beside one of a tenth of its size, and writes batch-results.md: `node bench/largeBatch.ts [requests]`.
 * Default: 100,000 requests, which take minutes.
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
  // After each step, so that a run that is stopped leaves what it has measured.
  writeFileSync(
    join(import.meta.dirname, "batch-results.md"),
    `# Large batches\n\nWritten by \`pnpm bench:batch\` on ${date}, with Node ${process.version}.\n\n${batchReport(runs)}\n`
  )
}
