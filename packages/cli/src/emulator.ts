/**
 * `gradient-images emulator`: the endpoint on a port of this machine, until it is stopped.
 */
import { Emulator } from "@effect-gradient/emulator"
import { Command, Flag } from "effect/cli"
import * as Console from "effect/Console"
import * as Effect from "effect/Effect"
import { duration, given } from "./flags.ts"

const config = {
  port: Flag.Int("port").pipe(Flag.withDescription("Where to listen; 0 is any free port"), Flag.withDefault(8787)),
  latency: given(duration("latency"), "How long it thinks before it answers. Default: 0"),
  pace: given(duration("pace"), "The time between the pictures of a stream. Default: 0")
}

type Options = Command.Command.Config.Infer<typeof config>

const run = Effect.fnUntraced(function* (options: Options) {
  const serve = Effect.gen(function* () {
    const baseUrl = yield* Emulator.baseUrl
    yield* Console.log(`Listening on ${baseUrl}`)
    yield* Console.log(`Use it with: GRADIENT_BASE_URL=${baseUrl} GRADIENT_MODEL_ACCESS_KEY=any`)
    return yield* Effect.never
  })
  return yield* Effect.provide(serve, Emulator.layerServer(options))
})

export const emulator = Command.make("emulator", config, run).pipe(
  Command.withDescription("Serves the images endpoint with painted pictures: no key, no cost, the same wire.")
)
