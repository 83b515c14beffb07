import { Images, RateLimit } from "@effect-gradient/core"
import { DateTime, Effect, Option } from "effect"

/**
 * Generates an image, and returns a text: how many requests the rate limit still allows, and the earliest time at which a
 * rate limit is reset, as far as they are known.
 */
export const drawAndTell = (prompt: string) =>
  Effect.gen(function* () {
    const { rateLimit } = yield* Images.generate({ prompt })
    const reset = Option.fromUndefinedOr(rateLimit && RateLimit.nextReset(rateLimit))
    const until = Option.match(reset, { onNone: () => "", onSome: (at) => ` until ${DateTime.formatIso(at)}` })
    return `${rateLimit?.remaining ?? "An unknown number of"} requests left${until}`
  })
