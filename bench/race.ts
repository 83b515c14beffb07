/**
 * Runs the contestants at one work, each in its own process. In each round the contestants run one after another, so
 * that other load on the machine affects all of them alike.
 */
import { Schema } from "effect"
import { contestants } from "./contestants.ts"
import type { Strain } from "./measure.ts"
import { answer, ask, start } from "./process.ts"
import type { Work } from "./works.ts"

/** How long a race takes. */
export interface Effort {
  readonly rounds: number
  /**
   * The approximate time of a contestant's timed runs in a round, in milliseconds. There are at most `mostRunsInRound`
   * of them.
   */
  readonly roundMillis: number
  /**
   * When the rounds of a contestant have taken this many milliseconds, it begins no further round. So a slow contestant
   * runs in fewer rounds, but has at least one result.
   */
  readonly millis: number
}

/**
 * The results of a contestant, one for each round in which it ran; if it is too slow for a round, the result of its
 * first run. The limit, which is the first contestant, is usually fast enough for all rounds.
 */
export interface Standing {
  readonly id: string
  readonly rounds: ReadonlyArray<Strain>
}

const Answer = Schema.Struct({
  wallMillis: Schema.Finite,
  cpuMillis: Schema.Finite,
  blockMillis: Schema.Finite,
  peakBytes: Schema.Finite
})
const answerOf = Schema.decodeUnknownSync(Answer)

const mostRunsInRound = 8

const enter = async (id: string, work: Work, serverUrl: string) => {
  const child = start("./client.ts", [id, work.id, serverUrl])
  await answer(child)
  return { id, child }
}

type Entrant = Awaited<ReturnType<typeof enter>>

/**
 * Lets a contestant run before the rounds. Returns the array of its results, a function that runs a round, and a
 * function that ends its process.
 */
const warmUp = async ({ child, id }: Entrant, effort: Effort) => {
  const request = async (runs: number) => answerOf(await ask(child, runs))
  const runsOf = ({ wallMillis }: Strain) => Math.min(Math.ceil(effort.roundMillis / wallMillis), mostRunsInRound)
  const first = await request(0)
  const isSlow = 3 * first.wallMillis > effort.millis
  const runs = isSlow ? 1 : runsOf(await request(runsOf(first)))
  const rounds: Array<Strain> = isSlow ? [first] : []
  let usedMillis = isSlow ? effort.millis : 0
  const round = async () => {
    if (usedMillis >= effort.millis) return
    const before = performance.now()
    rounds.push(await request(runs))
    usedMillis += performance.now() - before
  }
  return { id, rounds, round, leave: () => child.disconnect() }
}

export const race = async (
  work: Work,
  serverUrl: string,
  effort: Effort,
  leftOut: ReadonlySet<string> = new Set()
): Promise<ReadonlyArray<Standing>> => {
  const entering = contestants.filter(({ id }) => !leftOut.has(id)).map(({ id }) => enter(id, work, serverUrl))
  const lanes: Array<Awaited<ReturnType<typeof warmUp>>> = []
  for (const entrant of await Promise.all(entering)) lanes.push(await warmUp(entrant, effort))
  for (let round = 0; round < effort.rounds; round++) {
    for (const lane of lanes) await lane.round()
  }
  for (const lane of lanes) lane.leave()
  return lanes.map(({ id, rounds }) => ({ id, rounds }))
}
