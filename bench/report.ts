/**
 * Turns results of the benchmark into Markdown.
 */
import { availableParallelism, loadavg } from "node:os"
import { contestants } from "./contestants.ts"
import { mostWatched, type Strain } from "./measure.ts"
import type { BatchRun } from "./batch.ts"
import type { Durable } from "./durable.ts"
import type { GatewayCpu } from "./gatewayCpu.ts"
import type { Hostility } from "./gatewayHostile.ts"
import type { Memory } from "./memory.ts"
import type { Paid } from "./paid.ts"
import type { Standing } from "./race.ts"
import type { Start } from "./startup.ts"
import { type Spread, spreadOf } from "./statistics.ts"
import { blockBudget, fetchBudget, growthBudget, type Work } from "./works.ts"

/**
 * The results of the contestants that ran at a work, and the number and median size of the chunks that fetch returned.
 */
export interface Race {
  readonly work: Work
  readonly standings: ReadonlyArray<Standing>
  readonly chunks: { readonly count: number; readonly medianBytes: number }
}

const table = (head: ReadonlyArray<string>, rows: ReadonlyArray<ReadonlyArray<string>>): string => {
  const line = (cells: ReadonlyArray<string>) => `| ${cells.join(" | ")} |`
  const rule = head.map((_, column) => (column === 0 ? "---" : "--:"))
  return [head, rule, ...rows].map(line).join("\n")
}

const decimal = (value: number, digits: number) =>
  value.toLocaleString("en", { minimumFractionDigits: digits, maximumFractionDigits: digits })
const millis = (value: number) => decimal(value, value < 100 ? 1 : 0)
const ratio = (value: number) => decimal(value, value < 10 ? 2 : 0)
const withSpread = ({ high, low, median }: Spread) => `${ratio(median)} (${ratio(low)} to ${ratio(high)})`
const verdict = (value: number, budget: number) => (value <= budget ? "met" : "**not met**")

const titleOf = (id: string, kind: Work["kind"]): string => {
  const contestant = contestants.find((candidate) => candidate.id === id)
  return (kind === "json" ? contestant?.jsonTitle : undefined) ?? contestant?.title ?? id
}

type Figure = Exclude<keyof Strain, "peakBytes">

const medianOf = ({ rounds }: Standing, figure: Figure): number => spreadOf(rounds.map((round) => round[figure])).median

/** Divides a contestant's figure by the limit's figure of the same round, for each round. */
const toLimit = ({ standings }: Race, { rounds }: Standing, figure: Figure): Spread => {
  const limit = standings[0]?.rounds ?? []
  // A contestant may have run in fewer rounds than the limit.
  return spreadOf(limit.flatMap((most, index) => (rounds[index] ? [rounds[index][figure] / most[figure]] : [])))
}

const raceTable = (race: Race): string =>
  table(
    [
      "",
      "time (ms)",
      "to the limit",
      "CPU to the limit",
      "longest block (ms)",
      "to the limit",
      "memory (MB)",
      "rounds"
    ],
    race.standings.map((standing) => [
      titleOf(standing.id, race.work.kind),
      millis(medianOf(standing, "wallMillis")),
      withSpread(toLimit(race, standing, "wallMillis")),
      withSpread(toLimit(race, standing, "cpuMillis")),
      millis(medianOf(standing, "blockMillis")),
      withSpread(toLimit(race, standing, "blockMillis")),
      decimal(Math.max(...standing.rounds.map(({ peakBytes }) => peakBytes)) / 1e6, 0),
      String(standing.rounds.length)
    ])
  )

const raceSection = (race: Race): string => {
  const { chunks, work } = race
  const pace =
    work.paceMicros > 0
      ? ` The server waits ${work.paceMicros} µs between two chunks, which decides the total time, so compare the CPU time. The client is idle in between, so its longest block is a garbage collection, if there is one.`
      : ""
  const sees = `With fetch, a reader gets ${decimal(chunks.count, 0)} chunks, half of them of at least ${decimal(chunks.medianBytes, 0)} bytes.${pace}`
  return `### ${work.title}\n\n${sees}\n\n${raceTable(race)}`
}

/**
 * For each contestant of this library, the one that reads and drops the body with Effect's HttpClient on the same
 * transport.
 */
const floors: Readonly<Record<string, string>> = { ours: "floorOnUndici", oursOnFetch: "floorOnFetch" }

const budgetTable = (races: ReadonlyArray<Race>): string => {
  const row = (race: Race, figure: Figure, what: string, budgets: Readonly<Record<string, number>>) => {
    const spreadFor = (id: string) => {
      const standing = race.standings.find((candidate) => candidate.id === id)
      return standing && toLimit(race, standing, figure)
    }
    const cells = Object.entries(budgets).flatMap(([id, budget]) => {
      const spread = spreadFor(id)
      const floor = spreadFor(floors[id] ?? "")
      if (spread === undefined || floor === undefined) return ["", "", "", ""]
      return [String(budget), withSpread(spread), verdict(spread.median, budget), ratio(floor.median)]
    })
    return [`${race.work.title}: ${what}`, ...cells]
  }
  const rows = races.flatMap((race) => {
    const { budget, paceMicros } = race.work
    if (budget === undefined) return []
    const most = { ours: budget, oursOnFetch: fetchBudget }
    if (paceMicros > 0) return [row(race, "cpuMillis", "CPU", most)]
    const mostBlock = { ours: blockBudget, oursOnFetch: blockBudget }
    return [row(race, "wallMillis", "time", most), row(race, "blockMillis", "longest block", mostBlock)]
  })
  const head = ["budget", "ours, on undici", "", "floor", "budget", "ours, on fetch", "", "floor"]
  return table(["as a ratio to the limit", ...head], rows)
}

export const racesReport = (races: ReadonlyArray<Race>): string =>
  [
    `## Budgets

The floor is the same ratio for code that reads the body with Effect's HttpClient, on the same transport, and drops it.

${budgetTable(races)}`,
    "## Works",
    ...races.map(raceSection)
  ].join("\n\n")

/**
 * The exponent p in the assumption that the time grows as size^p. It is computed from the second of these sizes (the
 * first, if there are only two) and the last.
 */
const powerOf = (sizes: ReadonlyArray<{ readonly megabytes: number; readonly millis: number }>): number | undefined => {
  const [from, to] = [sizes[sizes.length > 2 ? 1 : 0], sizes.at(-1)]
  if (from === undefined || to === undefined || from === to) return undefined
  return Math.log(to.millis / from.millis) / Math.log(to.megabytes / from.megabytes)
}

export const growthReport = (races: ReadonlyArray<Race>): string => {
  const rows = contestants.map(({ id }) => {
    const sizes = races.flatMap(({ standings, work }) =>
      standings
        .filter((standing) => standing.id === id)
        .map((standing) => ({ megabytes: work.imageBytes / 1e6, millis: medianOf(standing, "wallMillis") }))
    )
    const power = powerOf(sizes)
    const cells = races.map((_, index) => {
      const size = sizes[index]
      return size === undefined ? "left out" : decimal(size.millis / size.megabytes, 2)
    })
    const isOurs = id.startsWith("ours") && power !== undefined
    return [
      titleOf(id, "stream"),
      ...cells,
      power === undefined ? "" : decimal(power, 2),
      isOurs ? verdict(power, growthBudget) : ""
    ]
  })
  const heads = races.map(({ work }) => `${work.imageBytes / 1e6} MB`)
  return `## Growth

Milliseconds per MB of an image in a stream, and the power p if the time grows as size^p from the second size on: 1 is
linear, the budget is ${growthBudget}. A contestant that takes more than a second with one size does not run with the larger ones.

${table(["", ...heads, "power", ""], rows)}`
}

export const startupReport = (starts: ReadonlyArray<Start>): string => {
  const rows = starts.map(({ budget, millis: time, over, ratio: toOther, title }, index) => [
    title,
    millis(time.median),
    over === index ? "" : withSpread(toOther),
    budget === undefined ? "" : String(budget),
    budget === undefined ? "" : verdict(toOther.median, budget)
  ])
  return `## Start-up

The time of new processes from start to end, with the built packages. The ratio is to the first row, and for
\`--version\` to the row before it.

${table(["", "time (ms)", "ratio", "budget", ""], rows)}`
}

export const gatewayReport = (cpus: ReadonlyArray<GatewayCpu>): string => {
  const rows = cpus.map(({ budget, gatewayMillis, memoryBytes, proxyMillis, ratio: toProxy, title }) => [
    title,
    decimal(proxyMillis, 2),
    decimal(gatewayMillis, 2),
    withSpread(toProxy),
    String(budget),
    verdict(toProxy.median, budget),
    decimal(memoryBytes / 1e6, 0)
  ])
  return `## Gateway

CPU time of one request, in the gateway and in a proxy that only passes bytes on (node:http to undici, \`pipe\`). Both get
the same load, one after the other. The memory is the peak of the gateway's resident memory.

${table(["", "proxy (ms)", "gateway (ms)", "ratio", "budget", "", "memory (MB)"], rows)}`
}

export const hostileReport = (rows: ReadonlyArray<Hostility>): string => `## A hostile caller

What a caller with a key can cost a durable gateway: the CPU time of one request, and how much more memory the process
uses than before, after a garbage collection. Slow readers are still connected then; other requests have ended. The
journal is on SQLite, and the images are in a folder. An image has 1.5 MB, unless the row names another size.

${table(
  ["", "requests", "answers", "CPU (ms)", "memory (MB)"],
  rows.map(({ answers, cpuMillis, memoryBytes, requests, title }) => [
    title,
    String(requests),
    answers,
    decimal(cpuMillis, 2),
    decimal(memoryBytes / 1e6, 0)
  ])
)}`

const journalBudgetMillis = 2
const durableMemoryBudget = 1.2
const layersBudget = 1.15

export const durableReport = ({ costs, layers, memoryRatio }: Durable): string => {
  const spread = ({ high, low, median }: Spread) => `${decimal(median, 2)} (${decimal(low, 2)} to ${decimal(high, 2)})`
  const rows = costs.map(({ added, millis: time, title }, index) => [
    title,
    spread(time),
    index === 0 ? "" : spread(added),
    title.startsWith("the journal") ? `${journalBudgetMillis} ms: ${verdict(added.median, journalBudgetMillis)}` : ""
  ])
  return `## Durable calls

Calls for one image of 1.5 MB, without a network. Each row differs from the row before in one part.

${table(["", "time (ms)", "more than the row before (ms)", "budget"], rows)}

Memory at the moment when the 10 images of a call (1.5 MB each) are stored: ${decimal(memoryRatio, 2)} bytes in use for each byte of the
images. Budget: ${durableMemoryBudget}, ${verdict(memoryRatio, durableMemoryBudget)}.

The CPU time of a call with telemetry, budget, fallback and limit, but without journal and store:

${table(
  ["", "CPU (ms)", "to a plain call", "budget", ""],
  [
    ["a plain call", spread(layers.plainMillis), "", "", ""],
    [
      "a call with these four layers",
      spread(layers.layeredMillis),
      withSpread(layers.ratio),
      String(layersBudget),
      verdict(layers.ratio.median, layersBudget)
    ]
  ]
)}`
}

export const batchReport = (runs: ReadonlyArray<BatchRun>): string => {
  const rows = runs.map(({ databaseBytes, peakBytes, requests, seconds, title }) => [
    title,
    decimal(requests, 0),
    decimal(seconds, 0),
    decimal(requests / seconds, 0),
    decimal(databaseBytes / requests, 0),
    decimal(peakBytes / 1e6, 0)
  ])
  const titles = ["", "requests", "time (s)", "a second", "bytes of database each", "memory of a runner (MB)"]
  return `## Batches

The service replies at once with an image of 12 KB. The store is a synced folder, and each runner has 32 requests under way. A
request is written to the journal twice. All processes share the ${availableParallelism()} cores of this machine.

${table(titles, rows)}`
}

export const paidReport = (cases: ReadonlyArray<Paid>): string => {
  const callers = [...(cases[0]?.generations.keys() ?? [])]
  const rows = cases.map(({ generations, title }) => [title, ...callers.map((id) => String(generations.get(id) ?? ""))])
  return `## Paid generations

How many generations are paid for when one call fails. The clients have their defaults, except for a shorter timeout. No call
gets an image.

${table(["", ...callers.map((id) => titleOf(id, "json"))], rows)}`
}

export const memoryReport = ({ atImage10, atImage100, keptRatio }: Memory): string => {
  const megabytes = (bytes: number) => decimal(bytes / 1e6, 1)
  return `## Memory

Images of 12 MB, streamed by this library on undici. The figures are heap and array buffers in use after a garbage collection.

${table(
  ["", "measured", "budget", ""],
  [
    [
      "100 images, each dropped: MB in use after the 100th image",
      megabytes(atImage100),
      `15 more than after the 10th, which is ${megabytes(atImage10 + 15e6)}`,
      verdict(atImage100, atImage10 + 15e6)
    ],
    [
      "20 images, all kept: bytes in use for each byte of the images",
      decimal(keptRatio, 2),
      "1.3",
      verdict(keptRatio, 1.3)
    ]
  ]
)}`
}

export const heading = (command: string): string =>
  `# Results

\`${command}\` on ${new Date().toISOString().slice(0, 10)}, Node ${process.versions.node}, ${availableParallelism()} cores. The load
average was ${decimal(loadavg()[0] ?? 0, 1)} at the start. If the load average exceeds the number of cores, the figures spread wider.

The limit reads the body with fetch and drops it. A ratio compares a contestant with
the limit in the same round, so that other load on the machine affects both. Except for the memory, each figure of a
work is the median of the rounds. The brackets have the range of their middle half. Each contestant runs in its own
process, which has loaded the code of all contestants; the server is another process. Except for those that read and drop the body,
each contestant decodes every image to a \`Uint8Array\`. CPU is the time of all threads, garbage collection included.
The longest block is the longest time that the event loop was blocked: the median of up to ${mostWatched} runs per round.
Memory is the highest peak of resident memory in any round, less the memory of the idle process. The longest block and
the memory are measured in runs of their own, which are not timed. A slow contestant runs in fewer rounds; if it is too
slow for any, all its figures are from one run. This library validates what it returns.`
