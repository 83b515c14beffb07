import { Images, RateLimit } from "@effect-gradient/core"
import { DateTime, Effect, Option } from "effect"

/** Draws an image, and tells how many requests are left and when the service counts anew. */
export const drawAndTell = (prompt: string) =>
  Effect.gen(function* () {
    const { rateLimit } = yield* Images.generate({ prompt })
    const reset = Option.fromUndefinedOr(rateLimit && RateLimit.nextReset(rateLimit))
    const until = Option.match(reset, { onNone: () => "", onSome: (at) => ` until ${DateTime.formatIso(at)}` })
    return `${rateLimit?.remaining ?? "An unknown number of"} requests left${until}`
  })
