import { Emulator } from "@effect-gradient/emulator"
import { Console, Effect } from "effect"

/** Prints the base URL. Clients need it, as `GRADIENT_BASE_URL` or as an option. */
export const serve = (port: number) =>
  Emulator.baseUrl.pipe(
    Effect.flatMap((baseUrl) => Console.log(`Listening on ${baseUrl}`)),
    Effect.andThen(Effect.never),
    Effect.provide(Emulator.layerServer({ port, latency: "2 seconds", pace: "5 seconds" }))
  )
