import { Emulator } from "@effect-gradient/emulator"
import { Console, Effect } from "effect"

/** `baseUrl` is what a client is given, as `GRADIENT_BASE_URL` or as an option of its own. */
export const serve = (port: number) =>
  Emulator.baseUrl.pipe(
    Effect.flatMap((baseUrl) => Console.log(`Listening on ${baseUrl}`)),
    Effect.andThen(Effect.never),
    Effect.provide(Emulator.layerServer({ port, latency: "2 seconds", pace: "5 seconds" }))
  )
