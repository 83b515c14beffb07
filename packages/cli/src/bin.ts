#!/usr/bin/env node
/**
 * The command line: runs the command that the arguments name.
 */
import * as NodeRuntime from "@effect/platform-node/NodeRuntime"
import * as NodeServices from "@effect/platform-node/NodeServices"
import { CliOutput, Command } from "effect/cli"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import * as Logger from "effect/Logger"
import * as Schema from "effect/Schema"
import { readFileSync } from "node:fs"
import { emulator } from "./emulator.ts"
import { generate } from "./generate.ts"
import { models } from "./models.ts"
import { presenter, report, teardown } from "./outcome.ts"

const Manifest = Schema.fromJsonString(Schema.Struct({ version: Schema.String }))
const { version } = Schema.decodeSync(Manifest)(readFileSync(new URL("../package.json", import.meta.url), "utf8"))

const cli = Command.make("gradient-images").pipe(
  Command.withDescription("Generates images with DigitalOcean Gradient."),
  Command.withSubcommands([generate, models, emulator])
)

const services = Layer.mergeAll(
  NodeServices.layer,
  CliOutput.layerPresenter(presenter),
  Layer.succeed(Logger.LogToStderr, true)
)

Command.run(cli, { version }).pipe(
  Effect.tapCause(report),
  Effect.provide(services),
  NodeRuntime.runMain({ disableErrorReporting: true, teardown })
)
