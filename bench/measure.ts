/**
 * Measures what a run costs the process that it runs in.
 */
import { setImmediate } from "node:timers/promises"

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

/** Watches one run from a loop that turns as often as it can, which itself costs time: a short run is timed without. */
export const strain = async (run: () => Promise<void>): Promise<Strain> => {
  let blockMillis = 0
  let peakBytes = 0
  let sampledAt = 0
  let isOver = false
  const watch = async () => {
    let last = now()
    while (!isOver) {
      await setImmediate()
      const turn = now()
      blockMillis = Math.max(blockMillis, turn - last)
      if (turn - sampledAt > 1) {
        peakBytes = Math.max(peakBytes, process.memoryUsage.rss())
        sampledAt = turn
      }
      last = now()
    }
  }
  const watched = time(run, 1).finally(() => (isOver = true))
  const [timed] = await Promise.all([watched, watch()])
  return { ...timed, blockMillis, peakBytes }
}
