/**
 * Prints the error of a command that failed, and sets the exit code. 0: success, or a signal ended the gateway or the
 * MCP server; 1: a failure; 2: flags, arguments or settings that cannot be used; 128 plus the number of a signal: that
 * signal ended any other command. The errors of this package have their exit code as `Runtime.errorExitCode`.
 */
import * as GradientError from "@effect-gradient/core/GradientError"
import * as Cause from "effect/Cause"
import { CliError, CliOutput } from "effect/cli"
import * as Config from "effect/Config"
import * as Console from "effect/Console"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as Runtime from "effect/Runtime"
import process from "node:process"
import { messageOf } from "./message.ts"
import * as Signals from "./signals.ts"
import * as StandardOutput from "./standardOutput.ts"

const isReported = (error: unknown): error is CliError.ShowHelp =>
  CliError.isCliError(error) && error._tag === "ShowHelp"

const exitCodeOf = (error: unknown): number => {
  if (isReported(error)) return error.errors.length > 0 ? 2 : 0
  if (GradientError.isGradientError(error)) return error.reason._tag === "InvalidParamsError" ? 2 : 1
  return error instanceof Config.ConfigError ? 2 : Runtime.getErrorExitCode(error)
}

/**
 * Prints what went wrong, unless the command was interrupted or its help was printed. A failure is printed as its
 * message, without a stack; a defect with its stack, because it is a bug.
 */
export const report = Effect.fnUntraced(function* (cause: Cause.Cause<unknown>) {
  if (Cause.hasInterruptsOnly(cause)) return
  const error = Cause.squash(cause)
  if (isReported(error)) return
  if (Cause.hasDies(cause)) return yield* Effect.logError(cause)
  const { formatCliError } = yield* CliOutput.Formatter
  yield* Console.error(formatCliError(new CliError.UserError({ cause: new Error(messageOf(error)) })))
})

/** Prints errors of wrong usage on standard error, and how to get help. Everything else is printed as by default. */
export const presenter: CliOutput.Presenter = {
  present: Effect.fnUntraced(function* (event) {
    if (event._tag !== "InvalidInvocation") return yield* CliOutput.defaultPresenter.present(event)
    const { formatCliError } = yield* CliOutput.Formatter
    for (const error of event.errors) yield* Console.error(formatCliError(error))
    yield* Console.error(`See ${event.commandPath.join(" ")} --help`)
  })
}

let isServing = false

/** After this, a run that a signal ends has exit code 0, because a signal is the usual way to stop a server. */
export const isServer: Effect.Effect<void> = Effect.sync(() => {
  isServing = true
})

const codeOf = (exit: Exit.Exit<unknown, unknown>): number => {
  if (Exit.isSuccess(exit)) return 0
  if (!Cause.hasInterruptsOnly(exit.cause)) return exitCodeOf(Cause.squash(exit.cause))
  return isServing ? 0 : Signals.exitCode()
}

/** Ends the process once all output to standard output is written. */
export const teardown: Runtime.Teardown = (exit, onExit) => {
  const code = codeOf(exit)
  StandardOutput.flush((error) => {
    if (error === undefined || code !== 0) return onExit(code)
    process.stderr.write(`Standard output could not be written: ${error.message}\n`)
    onExit(1)
  })
}
