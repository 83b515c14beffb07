/**
 * `gradient-images emulator`: the endpoint on a port of this machine, until it is stopped.
 */
import { Emulator, Fault } from "@effect-gradient/emulator"
import { Command, Flag } from "effect/cli"
import * as Console from "effect/Console"
import * as Effect from "effect/Effect"
import * as Schema from "effect/Schema"
import { duration, given, yes } from "./flags.ts"

const config = {
  port: Flag.Int("port").pipe(
    Flag.withDescription("Where to listen; 0 is any free port"),
    Flag.filter(
      (port) => port >= 0 && port <= 65_535,
      () => "Expected a port from 0 to 65535"
    ),
    Flag.withDefault(8787)
  ),
  latency: given(duration("latency"), "How long it thinks before it answers: 90, 1.5s, 500ms, 5m. Default: 0"),
  pace: given(duration("pace"), "The time between the pictures of a stream. Default: 0"),
  faults: Flag.String("fault").pipe(
    Flag.withSchema(Fault.FaultFromString),
    Flag.withDescription(
      'What goes wrong, as often as you like: "status=503;retry-after=2 x2", "reset-body@50000", "stall-headers=5s"; ' +
        `one of ${Fault.names.join(", ")}`
    ),
    Flag.atLeast(0)
  ),
  allowFaultHeader: yes("allow-fault-header", "Let a request name its own fault, in the header x-emulator-fault")
}

/** The port cannot be had. */
class PortError extends Schema.TaggedError<PortError>("@effect-gradient/cli/PortError")("PortError", {
  port: Schema.Int,
  cause: Schema.Defect()
}) {
  override get message(): string {
    const { cause, port } = this
    const why = cause instanceof Error ? cause.message : String(cause)
    return `Port ${port} cannot be had (${why}): choose another, or any free one with --port 0.`
  }
}

const run = Effect.fnUntraced(function* (options: Command.Command.Config.Infer<typeof config>) {
  const announce = Effect.flatMap(Emulator.baseUrl, (baseUrl) =>
    Console.log(`Listening on ${baseUrl}\nUse it with: GRADIENT_BASE_URL=${baseUrl} GRADIENT_MODEL_ACCESS_KEY=any`)
  )
  return yield* Effect.andThen(announce, Effect.never).pipe(
    Effect.provide(Emulator.layerServer(options)),
    Effect.mapError(({ cause }) => new PortError({ port: options.port, cause }))
  )
})

export const emulator = Command.make("emulator", config, run).pipe(
  Command.withDescription("Serves the images endpoint with painted pictures: no cost, the same wire."),
  Command.withExamples([
    { command: "gradient-images emulator --port 8787 --pace 1", description: "A picture a second" },
    {
      command: 'gradient-images emulator --fault "status=429;retry-after=1 x2"',
      description: "Refuses the first two requests"
    }
  ])
)
