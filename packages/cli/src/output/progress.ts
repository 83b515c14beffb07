/**
 * What is waited for and for how long, on standard error: on a terminal a line that counts, elsewhere a line each.
 */
import * as Console from "effect/Console"
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as Schedule from "effect/Schedule"
import process from "node:process"
import { seconds } from "./format.ts"

/** @category models */
export interface Progress {
  /** What is waited for from here on. */
  readonly waitFor: (what: string) => Effect.Effect<void>
  /** Why a request will be repeated after this delay, and as which attempt. */
  readonly waitToRetry: (why: string, delay: Duration.Duration, attempt: number) => Effect.Effect<void>
  /** Nothing is waited for until the next call of one of the others. */
  readonly stop: Effect.Effect<void>
  /** Milliseconds since the start. */
  readonly elapsed: () => number
  /** Whether it is one line that is rewritten and removed, so that it moves nothing. */
  readonly isLive: boolean
}

/** From now until the scope ends, also by interruption: no half line is left. */
export const make = Effect.gen(function* () {
  const { default: ora } = yield* Effect.promise(() => import("ora"))
  const start = performance.now()
  const elapsed = () => performance.now() - start
  const spinner = ora({ discardStdin: false })
  if (process.stderr.columns === 0) spinner.isEnabled = false // ora would clear without end on a terminal without size.
  const isLive = spinner.isEnabled
  let waitingFor: string | undefined

  const show = (text: string, suffix: () => string) => {
    // A function as suffix is called for each frame.
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
    waitingFor === undefined ? Effect.void : Console.error(`- Waiting for ${waitingFor}, for ${seconds(elapsed())}`)
  )
  if (!isLive) {
    yield* stillWaiting.pipe(Effect.delay("30 seconds"), Effect.repeat(Schedule.forever), Effect.forkScoped)
  }

  const progress: Progress = { waitFor, waitToRetry, stop, elapsed, isLive }
  return progress
})
