/** The headers that every reply has: request id, rate limit, and the word that this is no real service. */
import * as Clock from "effect/Clock"
import * as Effect from "effect/Effect"
import * as Ref from "effect/Ref"

/** The published limit of the real service, per key. Here it is told, and not enforced. */
const requestsPerMinute = 250

/** Gives each request the id and the headers of its reply, counting requests by the minute. */
export const make = Effect.map(Ref.make({ minute: 0, used: 0 }), (window) =>
  Effect.gen(function* () {
    const minute = Math.floor((yield* Clock.currentTimeMillis) / 60_000)
    const { used } = yield* Ref.updateAndGet(window, (last) => ({
      minute,
      used: last.minute === minute ? last.used + 1 : 1
    }))
    const id = `req_${crypto.randomUUID().replaceAll("-", "")}`
    const headers = {
      "x-request-id": id,
      "x-emulated": "true",
      "ratelimit-limit": String(requestsPerMinute),
      "ratelimit-remaining": String(Math.max(0, requestsPerMinute - used)),
      "ratelimit-reset": String((minute + 1) * 60)
    }
    return { id, headers }
  })
)
