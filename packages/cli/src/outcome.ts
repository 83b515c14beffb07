/**
 * How a run went, for whoever started it: one message on standard error, and an exit code. 0: well; 1: a failure;
 * 2: wrong usage; 130: interrupted.
 */
import { GradientError } from "@effect-gradient/core"
import * as Cause from "effect/Cause"
import { CliError, CliOutput } from "effect/cli"
import * as Console from "effect/Console"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import type * as Runtime from "effect/Runtime"
import { ExtensionError } from "./files.ts"

const isReported = (error: unknown) => CliError.isCliError(error) && error._tag === "ShowHelp"

const isWrongUsage = (error: unknown): boolean =>
  error instanceof GradientError.GradientError
    ? error.reason._tag === "InvalidParamsError"
    : error instanceof ExtensionError ||
      (CliError.isCliError(error) && error._tag === "ShowHelp" && error.errors.length > 0)

const isAskingForHelp = (error: unknown): boolean => isReported(error) && !isWrongUsage(error)

/** Says what went wrong: the message of a failure, without a stack; of a defect, everything, since it is ours to mend. */
export const report = Effect.fnUntraced(function* (cause: Cause.Cause<unknown>) {
  if (Cause.hasInterruptsOnly(cause)) return
  const error = Cause.squash(cause)
  if (isReported(error)) return
  if (Cause.hasDies(cause)) return yield* Effect.logError(cause)
  const { formatCliError } = yield* CliOutput.Formatter
  yield* Console.error(formatCliError(new CliError.UserError({ cause: error })))
})

/** Wrong usage is told in one line each, with the way to the help, and never on standard output. */
export const presenter: CliOutput.Presenter = {
  present: Effect.fnUntraced(function* (event) {
    if (event._tag !== "InvalidInvocation") return yield* CliOutput.defaultPresenter.present(event)
    const { formatCliError } = yield* CliOutput.Formatter
    for (const error of event.errors) yield* Console.error(formatCliError(error))
    yield* Console.error(`See ${event.commandPath.join(" ")} --help`)
  })
}

export const teardown: Runtime.Teardown = (exit, onExit) => {
  if (Exit.isSuccess(exit)) return onExit(0)
  if (Cause.hasInterruptsOnly(exit.cause)) return onExit(130)
  const error = Cause.squash(exit.cause)
  onExit(isAskingForHelp(error) ? 0 : isWrongUsage(error) ? 2 : 1)
}
