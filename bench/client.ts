/**
 * Runs one contestant at one work, in its own process: `node client.ts <contestant> <work> <url of the server>`. It
 * sends "ready" to its parent process. Each message of the parent is the number of runs to time. The reply is a
 * `Strain`: the average times of these runs, and the block and the memory of further runs, which are watched. If the
 * number is 0, the times are those of a watched run.
 */
import { on } from "node:events"
import { contestantOf, contestants } from "./contestants.ts"
import { strain, type Strain, time } from "./measure.ts"
import { pathOf, workOf } from "./works.ts"

// Each process loads the code of all contestants, because garbage collection takes longer when more code is loaded. If
// each process loaded only its own contestant, the size of that contestant's code would affect its time.
await Promise.all(contestants.map(({ load }) => load()))

const [, , contestantId, workId, serverUrl] = process.argv
const work = workOf(workId)
const { make } = await contestantOf(contestantId).load()
const client = make({ baseUrl: `${serverUrl}${pathOf(work)}`, images: work.asked ?? work.images })
const request = work.kind === "stream" ? client.stream : client.generate

const run = async () => {
  const sums = await Promise.all(Array.from({ length: work.requests }, request))
  for (const bytes of sums) {
    if (bytes < work.images * work.imageBytes) throw new Error(`${contestantId} lost images: it got ${bytes} bytes`)
  }
}

const idleBytes = process.memoryUsage.rss()

const report = async (times: number): Promise<Strain> => {
  const timed = times > 0 ? await time(run, times) : {}
  const strained = await strain(run, times)
  return { ...strained, ...timed, peakBytes: strained.peakBytes - idleBytes }
}

process.on("disconnect", () => process.exit())
process.send?.("ready")
for await (const [times] of on(process, "message")) process.send?.(await report(Number(times)))
