import { GlobalFlag } from "effect/cli"
import * as Effect from "effect/Effect"
import * as Option from "effect/Option"
import * as References from "effect/References"

/**
 * Hides what the effect logs below the level Error, such as warnings about retries. If --log-level is set, that level
 * decides instead.
 */
export const quietly = Effect.fnUntraced(function* <A, E, R>(asking: Effect.Effect<A, E, R>) {
  const level = yield* GlobalFlag.LogLevel
  return yield* Option.isSome(level) ? asking : Effect.provideService(asking, References.MinimumLogLevel, "Error")
})
