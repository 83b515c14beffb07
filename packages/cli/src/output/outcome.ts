/**
 * How a run ended: one message on standard error, and an exit code. 0: success; 1: a failure; 2: wrong usage; 130:
 * interrupted. An error of the command line has its code as `Runtime.errorExitCode`.
 */
import * as GradientError from "@effect-gradient/core/GradientError"
import * as Cause from "effect/Cause"
import { CliError, CliOutput } from "effect/cli"
import * as Console from "effect/Console"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as Runtime from "effect/Runtime"

const isReported = (error: unknown): error is CliError.ShowHelp =>
  CliError.isCliError(error) && error._tag === "ShowHelp"

const exitCodeOf = (error: unknown): number => {
  if (isReported(error)) return error.errors.length > 0 ? 2 : 0
  if (GradientError.isGradientError(error)) return error.reason._tag === "InvalidParamsError" ? 2 : 1
  return Runtime.getErrorExitCode(error)
}

/** Says what went wrong: the message of a failure, without a stack; of a defect, everything, since it is a mistake of ours. */
export const report = Effect.fnUntraced(function* (cause: Cause.Cause<unknown>) {
  if (Cause.hasInterruptsOnly(cause)) return
  const error = Cause.squash(cause)
  if (isReported(error)) return
  if (Cause.hasDies(cause)) return yield* Effect.logError(cause)
  const { formatCliError } = yield* CliOutput.Formatter
  yield* Console.error(formatCliError(new CliError.UserError({ cause: error })))
})

/** Reports wrong usage on standard error, one line for each mistake, and names the help. */
export const presenter: CliOutput.Presenter = {
  present: Effect.fnUntraced(function* (event) {
    if (event._tag !== "InvalidInvocation") return yield* CliOutput.defaultPresenter.present(event)
    const { formatCliError } = yield* CliOutput.Formatter
    for (const error of event.errors) yield* Console.error(formatCliError(error))
    yield* Console.error(`See ${event.commandPath.join(" ")} --help`)
  })
}

let interruptedCode = 130

/** From now on the process ends with 0 if a signal ends it: that is how a server is stopped. */
export const isServer: Effect.Effect<void> = Effect.sync(() => {
  interruptedCode = 0
})

export const teardown: Runtime.Teardown = (exit, onExit) => {
  if (Exit.isSuccess(exit)) return onExit(0)
  onExit(Cause.hasInterruptsOnly(exit.cause) ? interruptedCode : exitCodeOf(Cause.squash(exit.cause)))
}
