/**
 * `pnpm bench` runs all works and writes `results.md`. With an option, it only prints the results. `--quick` runs fewer
 * and shorter rounds. `--work <id>` runs only that work, and can be given several times. The id is one of `works`, or
 * `startup`, `gateway`, `hostile`, `durable`, `batch`, `growth`, `paid` or `memory`.
 */
import { Schema } from "effect"
import { writeFile } from "node:fs/promises"
import { parseArgs } from "node:util"
import { post } from "./contestants/post.ts"
import { gatewayCpus } from "./gatewayCpu.ts"
import { hostilities } from "./gatewayHostile.ts"
import { measureBatches } from "./batch.ts"
import type { Durable } from "./durable.ts"
import { countPaid } from "./paid.ts"
import { answer, start } from "./process.ts"
import { type Effort, race } from "./race.ts"
import {
  batchReport,
  durableReport,
  gatewayReport,
  growthReport,
  hostileReport,
  heading,
  memoryReport,
  paidReport,
  type Race,
  racesReport,
  startupReport
} from "./report.ts"
import { startups } from "./startup.ts"
import { spreadOf } from "./statistics.ts"
import { growth, pathOf, type Work, works } from "./works.ts"

const args = process.argv.slice(2).filter((argument) => argument !== "--")
const { values: options } = parseArgs({
  args,
  options: { quick: { type: "boolean", default: false }, work: { type: "string", multiple: true, default: [] } }
})
const effort: Effort = options.quick
  ? { rounds: 3, roundMillis: 100, millis: 500 }
  : { rounds: 9, roundMillis: 250, millis: 3000 }
const isWanted = (id: string) => options.work.length === 0 || options.work.includes(id)

const known = [
  ...works.map(({ id }) => id),
  "startup",
  "gateway",
  "hostile",
  "durable",
  "batch",
  "growth",
  "paid",
  "memory"
]
const unknown = options.work.filter((id) => !known.includes(id))
if (unknown.length > 0) throw new Error(`There is no work ${unknown.join(", ")}. The works are ${known.join(", ")}`)

const title = heading(["pnpm bench", ...args].join(" "))
const server = start("./server.ts")
const serverUrl = String(await answer(server))

/**
 * The number of chunks in which fetch returns a reply, and their median size. They are not the chunks that the server
 * wrote, because a read of the socket can end anywhere.
 */
const chunksOf = async (work: Work): Promise<Race["chunks"]> => {
  const endpoint = { baseUrl: `${serverUrl}${pathOf(work)}`, images: work.asked ?? work.images }
  const sizes: Array<number> = []
  for await (const chunk of await post(endpoint, work.kind === "stream")) sizes.push(chunk.length)
  return { count: sizes.length, medianBytes: spreadOf(sizes).median }
}

const raceOf = async (work: Work, workEffort: Effort, leftOut: ReadonlySet<string>): Promise<Race> => {
  console.error(work.title)
  const chunks = await chunksOf(work)
  return { work, chunks, standings: await race(work, serverUrl, workEffort, leftOut) }
}

/**
 * The contestants that do not run in this work. With `--quick`, DigitalOcean's SDKs do not run at the work with images
 * of 12 MB, because each of their runs takes seconds.
 */
const leftOutOf = ({ id }: Work) => new Set(options.quick && id === "stream-12MB" ? ["gradient", "dots"] : [])

const races: Array<Race> = []
for (const work of works) {
  if (isWanted(work.id)) races.push(await raceOf(work, effort, leftOutOf(work)))
}

/**
 * The results of the works with growing images. Each image is 4 times as large as the one before. A contestant that
 * takes more than a second with one image does not run with the larger ones.
 */
const growing: Array<Race> = []
const leftOut = new Set<string>()
const growthEffort = { ...effort, rounds: Math.min(effort.rounds, 5), millis: effort.millis / 2 }
for (const work of isWanted("growth") ? growth : []) {
  const result = await raceOf(work, growthEffort, leftOut)
  growing.push(result)
  for (const { id, rounds } of result.standings) {
    if (rounds.some(({ wallMillis }) => wallMillis > 1000)) leftOut.add(id)
  }
}
const starts = isWanted("startup") ? startups(`${serverUrl}/json/1/1500000`, options.quick ? 3 : 15) : []
const cpus = isWanted("gateway") ? await gatewayCpus(serverUrl, options.quick ? 3 : 9) : []
const hostile = isWanted("hostile") ? await hostilities(serverUrl, options.quick ? 2000 : 100_000) : []
server.disconnect()

const Memory = Schema.Struct({ atImage10: Schema.Finite, atImage100: Schema.Finite, keptRatio: Schema.Finite })
const memory = async () => Schema.decodeUnknownSync(Memory)(await answer(start("./memory.ts", [], ["--expose-gc"])))

const SpreadSchema = Schema.Struct({ median: Schema.Finite, low: Schema.Finite, high: Schema.Finite })
const DurableSchema = Schema.Struct({
  costs: Schema.Array(Schema.Struct({ title: Schema.String, millis: SpreadSchema, added: SpreadSchema })),
  layers: Schema.Struct({ plainMillis: SpreadSchema, layeredMillis: SpreadSchema, ratio: SpreadSchema }),
  memoryRatio: Schema.Finite
})
const durable = async (): Promise<Durable> =>
  Schema.decodeUnknownSync(DurableSchema)(await answer(start("./durable.ts", [], ["--expose-gc"])))

const report = [
  title,
  ...(races.length > 0 ? [racesReport(races)] : []),
  ...(starts.length > 0 ? [startupReport(starts)] : []),
  ...(cpus.length > 0 ? [gatewayReport(cpus)] : []),
  ...(hostile.length > 0 ? [hostileReport(hostile)] : []),
  ...(isWanted("durable") ? [durableReport(await durable())] : []),
  ...(isWanted("batch") ? [batchReport(await measureBatches(options.quick ? [500] : [1000, 4000], 1000))] : []),
  ...(growing.length > 0 ? [growthReport(growing)] : []),
  ...(isWanted("paid") ? [paidReport(await countPaid())] : []),
  ...(isWanted("memory") ? [memoryReport(await memory())] : [])
].join("\n\n")
console.log(report)
if (args.length === 0) await writeFile(new URL("results.md", import.meta.url), `${report}\n`)
