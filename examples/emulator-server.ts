import { Emulator } from "@effect-gradient/emulator"
import { Console, Effect } from "effect"

/**
 * Runs the emulator on a port until it is interrupted, and prints its base URL. Clients need the base URL, as
 * `GRADIENT_BASE_URL` or as an option.
 */
export const serve = (port: number) =>
  Emulator.baseUrl.pipe(
    Effect.flatMap((baseUrl) => Console.log(`Listening on ${baseUrl}`)),
    Effect.andThen(Effect.never),
    Effect.provide(Emulator.layerServer({ port, latency: "2 seconds", pace: "5 seconds" }))
  )
