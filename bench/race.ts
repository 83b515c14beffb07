/**
 * Runs the contestants at one work, each in a process of its own, in turn: every round asks each of them once, so that
 * whatever else the machine does meets all of them alike.
 */
import { Schema } from "effect"
import { contestants } from "./contestant.ts"
import type { Strain } from "./measure.ts"
import { answer, ask, start } from "./process.ts"
import type { Work } from "./works.ts"

/** How much is done. */
export interface Effort {
  readonly rounds: number
  /** The runs that are timed together in a round take about so long, so that each has its share of garbage collection. */
  readonly roundMillis: number
  /** What one contestant may use of one work: a slow one takes part in fewer rounds, at worst in one. */
  readonly millis: number
}

/** A contestant and its rounds, in order. The first, the limit, has them all. */
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

/** A contestant's process, which is ready to run. */
const enter = async (id: string, work: Work, serverUrl: string) => {
  const child = start("./client.ts", [id, work.id, serverUrl])
  await answer(child)
  return { id, child }
}

type Entrant = Awaited<ReturnType<typeof enter>>

/** Lets a contestant run until it is warm, and gives its lane. */
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

/** The standings at this work, without those who are left out. */
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
