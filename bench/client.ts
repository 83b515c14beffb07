/**
 * One contestant at one work, in a process of its own: `node client.ts <contestant> <work> <url of the server>`. Says
 * when it is ready, then runs as often as each message of its parent says, some more watched, and answers with what that took.
 */
import { on } from "node:events"
import { contestantOf, contestants } from "./contestant.ts"
import { strain, type Strain, time } from "./measure.ts"
import { pathOf, workOf } from "./works.ts"

// Everyone loads everything, as in one program: the garbage collector's work grows with all that is loaded, so that a
// contestant on its own would be measured by the size of its code.
await Promise.all(contestants.map(({ load }) => load()))

const [, , contestantId, workId, serverUrl] = process.argv
const work = workOf(workId)
const { make } = await contestantOf(contestantId).load()
const client = make({ baseUrl: `${serverUrl}${pathOf(work)}`, images: work.asked ?? work.images })
const request = work.kind === "stream" ? client.stream : client.generate

const run = async () => {
  const sums = await Promise.all(Array.from({ length: work.requests }, request))
  for (const bytes of sums) {
    if (bytes < work.images * work.imageBytes) throw new Error(`${contestantId} lost images: ${bytes} bytes`)
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
