/** The headers that every reply has: request id, rate limit, and the word that this is no real service. */
import * as Clock from "effect/Clock"
import * as Effect from "effect/Effect"
import * as HttpServerResponse from "effect/http/HttpServerResponse"
import * as Ref from "effect/Ref"

/** The published limit of the real service, per key. Here it is told, and not enforced. */
const requestsPerMinute = 250

/** Gives replies their headers, counting requests by the minute. */
export const make = Effect.map(Ref.make({ minute: 0, used: 0 }), (window) =>
  Effect.fnUntraced(function* (response: HttpServerResponse.HttpServerResponse) {
    const minute = Math.floor((yield* Clock.currentTimeMillis) / 60_000)
    const { used } = yield* Ref.updateAndGet(window, (last) => ({
      minute,
      used: last.minute === minute ? last.used + 1 : 1
    }))
    return HttpServerResponse.setHeaders(response, {
      "x-request-id": `req_${crypto.randomUUID().replaceAll("-", "")}`,
      "x-emulated": "true",
      "ratelimit-limit": String(requestsPerMinute),
      "ratelimit-remaining": String(Math.max(0, requestsPerMinute - used)),
      "ratelimit-reset": String((minute + 1) * 60)
    })
  })
)
