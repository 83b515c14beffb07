/**
 * What is waited for and for how long, on standard error: on a terminal a line that counts, elsewhere a line each.
 */
import * as Console from "effect/Console"
import * as Effect from "effect/Effect"
import * as Schedule from "effect/Schedule"
import ora from "ora"
import { seconds } from "./format.ts"

/** @category models */
export interface Progress {
  /** What is waited for from here on. */
  readonly waitFor: (what: string) => Effect.Effect<void>
  /** Nothing is waited for until the next `waitFor`. */
  readonly stop: Effect.Effect<void>
  /** Milliseconds since the start. */
  readonly elapsed: () => number
}

/** From now until the scope ends, also by interruption: no half line is left. */
export const make = Effect.gen(function* () {
  const start = performance.now()
  const elapsed = () => performance.now() - start
  const spinner = ora({ discardStdin: false })
  if (process.stderr.columns === 0) spinner.isEnabled = false // ora would clear without end on a terminal without size.
  if (spinner.isEnabled) spinner.suffixText = () => `(${seconds(elapsed())})`
  const stop = Effect.sync(() => {
    spinner.stop()
    spinner.text = ""
  })
  yield* Effect.addFinalizer(() => stop)

  const waitFor = (what: string) => Effect.sync(() => void spinner.stop().start(`Waiting for ${what}`))

  const stillWaiting = Effect.suspend(() =>
    spinner.text === "" ? Effect.void : Console.error(`- ${spinner.text}, for ${seconds(elapsed())}`)
  )
  if (!spinner.isEnabled) {
    yield* stillWaiting.pipe(Effect.delay("30 seconds"), Effect.repeat(Schedule.forever), Effect.forkScoped)
  }

  const progress: Progress = { waitFor, stop, elapsed }
  return progress
})
