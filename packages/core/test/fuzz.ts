/**
 * Checks the properties of `support/Properties.ts` on random replies: a million by default (`pnpm fuzz [cases]
 * [seed]`), or as many as fit in the given minutes (`pnpm fuzz --minutes 10`). A reply for which a property does not
 * hold is printed with the seed that repeats it.
 */
import * as Schema from "effect/Schema"
import fc from "fast-check"
import { availableParallelism } from "node:os"
import { parseArgs } from "node:util"
import { isMainThread, parentPort, Worker, workerData } from "node:worker_threads"
import { properties } from "./support/Properties.ts"

const batch = 2_000

/** What one thread has to do. */
const Share = Schema.Struct({
  cases: Schema.Int,
  seed: Schema.Int,
  /** The time after which the thread starts no new batch, in milliseconds since 1970. */
  end: Schema.Number
})

const work = async ({ cases, end, seed }: typeof Share.Type) => {
  for (let done = 0, round = 0; done < cases && Date.now() < end; round++) {
    for (const [name, property] of Object.entries(properties)) {
      const numRuns = Math.min(batch / 4, cases - done)
      if (numRuns <= 0 || Date.now() >= end) break
      await fc.assert(property, { numRuns, seed: seed + round, endOnFailure: false }).catch((error: unknown) => {
        throw new Error(name, { cause: error })
      })
      done += numRuns
      parentPort?.postMessage(numRuns)
    }
  }
}

/** Reads a whole number of at least 1 from an argument of the command line. If it is absent, returns the default. */
const wholeNumber = (name: string, text: string | undefined, byDefault: number) => {
  const number = Number(text ?? byDefault)
  if (!Number.isSafeInteger(number) || number < 1) throw new Error(`${name} must be an integer > 0 (got ${text})`)
  return number
}

const lead = async () => {
  const { positionals, values } = parseArgs({ allowPositionals: true, options: { minutes: { type: "string" } } })
  const isTimed = values.minutes !== undefined
  const cases = wholeNumber("cases", positionals[0], isTimed ? 1_000_000_000 : 1_000_000)
  const seed = wholeNumber("seed", positionals[1], Date.now() % 1_000_000_000)
  const end = isTimed ? Date.now() + wholeNumber("--minutes", values.minutes, 1) * 60_000 : Number.POSITIVE_INFINITY
  const step = Math.min(cases / 20, 50_000)
  const workers = Math.min(availableParallelism(), 8)
  const start = performance.now()
  const say = (text: string) => process.stdout.write(`${text}\n`)
  const amount = isTimed ? `${values.minutes} min` : `${cases} cases`
  say(`${amount} from seed ${seed}, on ${workers} threads`)
  let done = 0
  let said = 0
  const run = (number: number) =>
    new Promise<void>((resolve, reject) => {
      const given: typeof Share.Type = { cases: Math.ceil(cases / workers), seed: seed + number * 1_000_000, end }
      const worker = new Worker(new URL(import.meta.url), { workerData: given })
      worker.on("message", (more: number) => {
        done += more
        if (done - said < step && done < cases) return
        said = done
        say(`${done} cases, ${Math.round((performance.now() - start) / 1000)} s`)
      })
      worker.on("error", reject)
      worker.on("exit", () => resolve())
    })
  await Promise.all(Array.from({ length: workers }, (_, number) => run(number)))
  say(`${done} cases hold`)
}

await (isMainThread ? lead() : work(Schema.decodeUnknownSync(Share)(workerData)))
