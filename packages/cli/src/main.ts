/**
 * The command line: loads and runs the command that the arguments name.
 */
import * as NodeRuntime from "@effect/platform-node/NodeRuntime"
import * as NodeServices from "@effect/platform-node/NodeServices"
import { CliOutput, Command } from "effect/cli"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import * as Logger from "effect/Logger"
import { argv } from "node:process"
import { descriptions } from "./commands/descriptions.ts"
import { presenter, report, teardown } from "./output/exit.ts"
import * as Signals from "./output/signals.ts"
import * as StandardOutput from "./output/standardOutput.ts"
import { version } from "./version.ts"

/**
 * Whether the command must be loaded: because the arguments contain its name, or because they ask for completions or
 * the wizard, which need all commands.
 */
const isNamed = (name: string) => argv.some((word) => word === name || /^--(completions|wizard)(=|$)/.test(word))

/** Makes a command without an implementation, for the list of commands in the help of `gradient-images`. */
const listed = (name: keyof typeof descriptions) => Command.make(name).pipe(Command.withDescription(descriptions[name]))

// A command is loaded only if `isNamed` returns true for it, because loading can take long, for example that of the
// emulator's image encoder.
const subcommands = [
  isNamed("generate") ? (await import("./commands/generate.ts")).generate : listed("generate"),
  isNamed("batch") ? (await import("./commands/batch.ts")).batch : listed("batch"),
  isNamed("generations") ? (await import("./commands/generations.ts")).generations : listed("generations"),
  isNamed("models") ? (await import("./commands/models.ts")).models : listed("models"),
  isNamed("emulator") ? (await import("./commands/emulator.ts")).emulator : listed("emulator"),
  isNamed("gateway") ? (await import("./commands/gateway.ts")).gateway : listed("gateway"),
  isNamed("mcp") ? (await import("./commands/mcp.ts")).mcp : listed("mcp")
]

const cli = Command.make("gradient-images").pipe(
  Command.withDescription("Generates images with DigitalOcean Gradient."),
  Command.withSubcommands(subcommands)
)

const services = Layer.mergeAll(
  NodeServices.layer,
  CliOutput.layerPresenter(presenter),
  Layer.succeed(Logger.LogToStderr, true)
)

StandardOutput.watch()

Command.run(cli, { version }).pipe(
  Effect.tapCause(report),
  (program) => Signals.handling(program),
  Effect.provide(services),
  NodeRuntime.runMain({ disableErrorReporting: true, teardown })
)
