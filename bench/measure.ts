/**
 * Measures the time and the memory that a run takes in this process.
 */
import { setImmediate } from "node:timers/promises"
import { spreadOf } from "./statistics.ts"

/** The time of a run, or the average of several runs. */
export interface Time {
  readonly wallMillis: number
  /** CPU time of all threads, user and system, in milliseconds. */
  readonly cpuMillis: number
}

/** The time of a run, and what the run costs the rest of the process. */
export interface Strain extends Time {
  /** The longest time, in milliseconds, that the event loop was blocked. */
  readonly blockMillis: number
  /** The peak of resident memory, in bytes. `client.ts` subtracts the memory of the idle process. */
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

/**
 * Runs once while a loop samples the event loop's delay and the memory. The samples cost time, so the times in the
 * results come from `time`, which takes no samples, except for a contestant that is too slow for a second run.
 */
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

/**
 * The most runs that `strain` watches. A garbage collection may occur in any run; the median of three runs depends less
 * on it than one run would.
 */
export const mostWatched = 3

/**
 * Watches up to `mostWatched` runs, and at least one. Returns the times of the first run, the median of the longest
 * blocks, and the highest peak of memory.
 */
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

/** The bytes of heap and array buffers in use after a garbage collection. */
export const inUse = (): number => {
  if (globalThis.gc === undefined) throw new Error("run with --expose-gc")
  globalThis.gc()
  const { arrayBuffers, heapUsed } = process.memoryUsage()
  return heapUsed + arrayBuffers
}
