/**
 * Checks the properties of every reply on a million cases: `pnpm fuzz [cases] [seed]`. A failing case is printed with the
 * arguments that repeat it.
 */
import * as Schema from "effect/Schema"
import fc from "fast-check"
import { availableParallelism } from "node:os"
import { isMainThread, parentPort, Worker, workerData } from "node:worker_threads"
import { properties } from "./support/Properties.ts"

const batch = 2_000

/** The work of one thread. */
const Share = Schema.Struct({ cases: Schema.Int, seed: Schema.Int })

const work = async ({ cases, seed }: typeof Share.Type) => {
  for (let done = 0, round = 0; done < cases; round++) {
    for (const [name, property] of Object.entries(properties)) {
      const numRuns = Math.min(batch / 4, cases - done)
      if (numRuns <= 0) break
      await fc.assert(property, { numRuns, seed: seed + round, endOnFailure: false }).catch((error: unknown) => {
        throw new Error(name, { cause: error })
      })
      done += numRuns
      parentPort?.postMessage(numRuns)
    }
  }
}

const lead = async () => {
  const [cases = 1_000_000, seed = Date.now() % 1_000_000_000] = process.argv.slice(2).map(Number)
  const workers = Math.min(availableParallelism(), 8)
  const start = performance.now()
  const say = (text: string) => process.stdout.write(`${text}\n`)
  say(`${cases} cases from seed ${seed}, on ${workers} threads`)
  let done = 0
  let said = 0
  const run = (number: number) =>
    new Promise<void>((resolve, reject) => {
      const given: typeof Share.Type = { cases: Math.ceil(cases / workers), seed: seed + number * 1_000_000 }
      const worker = new Worker(new URL(import.meta.url), { workerData: given })
      worker.on("message", (more: number) => {
        done += more
        if (done - said < cases / 20 && done < cases) return
        said = done
        say(`${done} cases, ${Math.round((performance.now() - start) / 1000)} s`)
      })
      worker.on("error", reject)
      worker.on("exit", () => resolve())
    })
  await Promise.all(Array.from({ length: workers }, (_, number) => run(number)))
  say("all hold")
}

await (isMainThread ? lead() : work(Schema.decodeUnknownSync(Share)(workerData)))
