/**
 * Shows the progress of a batch. On a terminal it is one line with a bar, which is rewritten. Otherwise a new line is
 * printed every few seconds.
 */
import type { ImageBatch } from "@effect-gradient/durable"
import * as Console from "effect/Console"
import * as Effect from "effect/Effect"
import process from "node:process"
import { count, seconds } from "./format.ts"

const barWidth = 24
/** Without a terminal, only every fifth report is printed. There is about one report each second. */
const printedEvery = 5

const bar = (share: number) => {
  const filled = Math.round(share * barWidth)
  return `[${"#".repeat(filled)}${"-".repeat(barWidth - filled)}]`
}

const settledOf = ({ abandoned, done, failed, inDoubt }: ImageBatch.Progress) => done + failed + inDoubt + abandoned

/** Returns the counts of a batch in words. A count of 0 is left out, except those of done and of all requests. */
const countsOf = ({ abandoned, done, failed, inDoubt, sending, total }: ImageBatch.Progress): ReadonlyArray<string> => [
  `${count(done)} of ${count(total)} done`,
  ...(failed > 0 ? [`${count(failed)} failed`] : []),
  ...(inDoubt > 0 ? [`${count(inDoubt)} in doubt`] : []),
  ...(abandoned > 0 ? [`${count(abandoned)} abandoned`] : []),
  ...(sending > 0 ? [`${count(sending)} under way`] : [])
]

const tokensOf = ({ totalTokens }: ImageBatch.Progress) => (totalTokens > 0 ? [`${count(totalTokens)} tokens`] : [])

/** Returns one line about a batch that this process does not run: without the rate and the remaining time. */
export const lineOf = (progress: ImageBatch.Progress): string =>
  [...countsOf(progress), ...tokensOf(progress)].join(", ")

/** Shows the progress of one run. Requests that had an outcome at the first report do not count for the rate. */
export class BatchProgress {
  readonly #isLive = process.stderr.isTTY
  readonly #start = performance.now()
  #first: number | undefined
  #reports = 0

  /** Returns one line about this run, with its rate and, if it can be computed, the remaining time. */
  lineOf(progress: ImageBatch.Progress): string {
    const rate = (1000 * (settledOf(progress) - (this.#first ?? 0))) / (performance.now() - this.#start)
    const left = progress.total - settledOf(progress)
    return [
      ...countsOf(progress),
      `${rate.toFixed(1)} a second`,
      ...(left > 0 && rate > 0 ? [`${seconds((left / rate) * 1000)} left`] : []),
      ...tokensOf(progress)
    ].join(", ")
  }

  show(progress: ImageBatch.Progress): Effect.Effect<void> {
    return Effect.suspend(() => {
      this.#first ??= settledOf(progress)
      const line = this.lineOf(progress)
      const isPrinted = this.#reports++ % printedEvery === 0
      if (!this.#isLive) return isPrinted ? Console.error(line) : Effect.void
      const text = `${bar(settledOf(progress) / progress.total)} ${line}`
      return Effect.sync(() => {
        process.stderr.write(`\r\u001b[2K${text.slice(0, Math.max(20, (process.stderr.columns || 80) - 1))}`)
      })
    })
  }

  /** Ends the line that was rewritten, so that later output begins on a new line. */
  readonly stop: Effect.Effect<void> = Effect.suspend(() =>
    this.#isLive && this.#reports > 0 ? Effect.sync(() => void process.stderr.write("\n")) : Effect.void
  )
}
