/**
 * Shows on standard error what the command is waiting for. On an interactive terminal it is one line that counts the
 * seconds. Otherwise a line is printed for each wait, and one every 30 seconds while a reply is awaited.
 */
import * as Console from "effect/Console"
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as Schedule from "effect/Schedule"
import process from "node:process"
import { seconds } from "./format.ts"

export interface Progress {
  /** Shows that the command now waits for `what`. */
  readonly waitFor: (what: string) => Effect.Effect<void>
  /** Shows why the attempt failed, when the request will be sent again, and the number of the next attempt. */
  readonly waitToRetry: (why: string, delay: Duration.Duration, attempt: number) => Effect.Effect<void>
  /** Hides the progress until the next `waitFor` or `waitToRetry`. */
  readonly stop: Effect.Effect<void>
  /** Milliseconds since the progress was made. */
  readonly elapsed: () => number
  /** Whether the progress is a single line that is rewritten. `stop` removes the line. */
  readonly isLive: boolean
}

/** Makes the progress of a command. When the scope closes, it is hidden. */
export const make = Effect.gen(function* () {
  const { default: ora } = yield* Effect.promise(() => import("ora"))
  const start = performance.now()
  const elapsed = () => performance.now() - start
  const spinner = ora({ discardStdin: false })
  if (process.stderr.columns === 0) spinner.isEnabled = false // If the terminal reports a width of 0, ora would clear lines forever.
  const isLive = spinner.isEnabled
  let waitingFor: string | undefined

  const show = (text: string, suffix: () => string) => {
    // ora calls a suffix that is a function for each frame, so that the seconds count on.
    spinner.stop().suffixText = isLive ? suffix : ""
    spinner.start(isLive ? text : [text, suffix()].filter(Boolean).join(" "))
  }
  const stop = Effect.sync(() => {
    waitingFor = undefined
    spinner.stop()
  })
  yield* Effect.addFinalizer(() => stop)

  const waitFor = (what: string) =>
    Effect.sync(() => {
      waitingFor = what
      show(`Waiting for ${what}`, () => (isLive ? `(${seconds(elapsed())})` : ""))
    })

  const waitToRetry = (why: string, delay: Duration.Duration, attempt: number) =>
    Effect.sync(() => {
      waitingFor = undefined
      const end = elapsed() + Duration.toMillis(delay)
      const left = () => Math.max(0, Math.ceil((end - elapsed()) / 1000))
      show(`${why}: retrying`, () => `in ${left()} s (attempt ${attempt})`)
    })

  const stillWaiting = Effect.suspend(() =>
    waitingFor === undefined
      ? Effect.void
      : Console.error(`- Still waiting for ${waitingFor}, ${seconds(elapsed())} after the start`)
  )
  if (!isLive) {
    yield* stillWaiting.pipe(Effect.delay("30 seconds"), Effect.repeat(Schedule.forever), Effect.forkScoped)
  }

  const progress: Progress = { waitFor, waitToRetry, stop, elapsed, isLive }
  return progress
})
