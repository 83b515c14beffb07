/**
 * Measures what a run costs the process that it runs in.
 */
import { setImmediate } from "node:timers/promises"
import { spreadOf } from "./statistics.ts"

/** What runs took in this process's time, one on average. */
export interface Time {
  readonly wallMillis: number
  /** User and system time, of all threads. */
  readonly cpuMillis: number
}

/** What a run did to the rest of the process as well. */
export interface Strain extends Time {
  /** The longest that the event loop did not turn. */
  readonly blockMillis: number
  /** The most resident memory. */
  readonly peakBytes: number
}

const now = () => performance.now()

export const time = async (run: () => Promise<void>, times: number): Promise<Time> => {
  const cpu = process.cpuUsage()
  const start = now()
  for (let i = 0; i < times; i++) await run()
  const wallMillis = now() - start
  const { system, user } = process.cpuUsage(cpu)
  return { wallMillis: wallMillis / times, cpuMillis: (user + system) / 1000 / times }
}

/** Watches a run from a loop that turns as often as it can, which itself costs time: a short run is timed without. */
const watch = async (run: () => Promise<void>): Promise<Strain> => {
  let blockMillis = 0
  let peakBytes = 0
  let sampledAt = 0
  let isOver = false
  const turn = async () => {
    let last = now()
    while (!isOver) {
      await setImmediate()
      const turned = now()
      blockMillis = Math.max(blockMillis, turned - last)
      if (turned - sampledAt > 1) {
        peakBytes = Math.max(peakBytes, process.memoryUsage.rss())
        sampledAt = turned
      }
      last = now()
    }
  }
  const watched = time(run, 1).finally(() => (isOver = true))
  const [timed] = await Promise.all([watched, turn()])
  return { ...timed, blockMillis, peakBytes }
}

/** More are not watched: whether a run meets a garbage collection is chance, and the median of three is less so. */
export const mostWatched = 3

/** Watches up to so many runs. */
export const strain = async (run: () => Promise<void>, times: number): Promise<Strain> => {
  const first = await watch(run)
  const runs = [first]
  while (runs.length < Math.min(times, mostWatched)) runs.push(await watch(run))
  return {
    ...first,
    blockMillis: spreadOf(runs.map(({ blockMillis }) => blockMillis)).median,
    peakBytes: Math.max(...runs.map(({ peakBytes }) => peakBytes))
  }
}
