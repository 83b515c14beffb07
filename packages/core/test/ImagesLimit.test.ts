import { describe, expect, it } from "@effect/vitest"
import * as Clock from "effect/Clock"
import * as Effect from "effect/Effect"
import * as Fiber from "effect/Fiber"
import * as Layer from "effect/Layer"
import * as RateLimiter from "effect/persistence/RateLimiter"
import * as Stream from "effect/Stream"
import { Images, RetryPolicy } from "../src/index.ts"
import * as ImagesLimit from "../src/ImagesLimit.ts"
import * as Service from "./support/Service.ts"
import * as Wire from "./support/Wire.ts"

const prompt = "a sea otter"
const inMemory = RateLimiter.layer.pipe(Layer.provide(RateLimiter.layerStoreMemory))
const good = () => Response.json(Wire.response())
const slow = (duration: number) => () => Effect.delay(Effect.sync(good), duration)

const limited = (
  options: ImagesLimit.Options,
  answer: (number: number) => Service.Answer,
  retry = RetryPolicy.none
) => {
  const service = Service.make(answer, { retry })
  const layer = ImagesLimit.layer(options).pipe(Layer.provide([service.layer, inMemory]))
  return { service, layer }
}

const call = Images.generate({ prompt })
const calls = (count: number) => Effect.forEach(Array.from({ length: count }), () => call, { concurrency: "unbounded" })

/** The times at which requests were sent, in seconds. */
const sentAt = (service: ReturnType<typeof Service.make>) => service.asked.map(({ at }) => at / 1000)

describe("ImagesLimit", () => {
  it.effect("sends no more requests than the limit within the window; the others wait, whatever their timeout", () =>
    Effect.gen(function* () {
      const { layer, service } = limited({ limit: 2, window: "10 seconds" }, good)
      const once = Images.generate({ prompt }, { timeout: "1 second" })
      const fiber = yield* Effect.forEach([1, 2, 3, 4, 5], () => once, { concurrency: "unbounded" }).pipe(
        Effect.provide(layer),
        Effect.forkChild
      )
      for (let step = 0; step < 5; step++) yield* Service.advance("5 seconds")
      yield* Service.join(fiber)
      const times = sentAt(service)
      expect(times.length).toBe(5)
      expect([0, 10, 20].map((from) => times.filter((at) => at >= from && at < from + 10).length)).toEqual([2, 2, 1])
    })
  )

  it.effect("counts attempts: a retry is another request", () =>
    Effect.gen(function* () {
      const busy = () => new Response("{}", { status: 429, headers: { "retry-after": "0" } })
      const { layer, service } = limited(
        { limit: 1, window: "10 seconds" },
        (number) => (number === 0 ? busy() : good()),
        RetryPolicy.chargeSafe
      )
      const fiber = yield* call.pipe(Effect.provide(layer), Effect.forkChild)
      for (let step = 0; step < 6; step++) yield* Service.advance("5 seconds")
      yield* Service.join(fiber)
      expect(sentAt(service).map((at) => at >= 10)).toEqual([false, true])
    })
  )

  it.effect("fails at once if waiting is not wanted: nothing was sent, and the error has the time to wait", () =>
    Effect.gen(function* () {
      const options = { limit: 1, window: "10 seconds", onExceeded: "fail" } as const
      const { layer, service } = limited(options, good, RetryPolicy.eager)
      yield* Effect.gen(function* () {
        yield* call
        const { reason } = yield* Effect.flip(call)
        expect(reason).toMatchObject({ _tag: "RateLimitError", reached: "NotSent", mayHaveBeenCharged: false })
        expect(reason.retryAfter).toBeDefined()
        expect(reason.message).toContain("the limit of 1 requests is used up for another 10 s")
      }).pipe(Effect.provide(layer))
      expect(service.asked.length).toBe(1)
    })
  )

  it.effect("has no more requests under way than `concurrency`, and holds no permit while a retry waits", () =>
    Effect.gen(function* () {
      let under = 0
      let most = 0
      const answer = (number: number) =>
        Effect.gen(function* () {
          most = Math.max(most, ++under)
          yield* Effect.sleep("5 seconds")
          under--
          return number === 0 ? new Response("{}", { status: 503, headers: { "retry-after": "30" } }) : good()
        })
      const { layer, service } = limited({ concurrency: 2 }, answer, RetryPolicy.chargeSafe)
      const fiber = yield* calls(5).pipe(Effect.provide(layer), Effect.forkChild)
      for (let step = 0; step < 12; step++) yield* Service.advance("5 seconds")
      yield* Service.join(fiber)
      expect(most).toBe(2)
      // In the 30 s for which the first call waited for its retry, the four other calls could send their requests.
      expect(sentAt(service).filter((at) => at < 30).length).toBe(5)
    })
  )

  it.effect("gives its permit back if its caller leaves: while it waits, within a request, within a stream", () =>
    Effect.gen(function* () {
      const events = [Wire.partial(0, Wire.png()), Wire.completed()]
      const { layer } = limited({ concurrency: 1 }, (number) =>
        number === 1 ? Wire.stream(events.map(Wire.event)) : slow(5000)()
      )
      yield* Effect.gen(function* () {
        const first = yield* Effect.forkChild(call)
        yield* Service.settle
        const second = yield* Effect.forkChild(call)
        yield* Service.settle
        yield* Fiber.interrupt(second)
        yield* Fiber.interrupt(first)
        yield* Stream.runDrain(Stream.take(Images.generateStream({ prompt }), 1))
        const last = yield* Effect.forkChild(call)
        yield* Service.settle
        yield* Service.advance("5 seconds")
        yield* Service.join(last)
      }).pipe(Effect.provide(layer))
    })
  )

  it.effect("sends nothing until the time that the service names in a 429, or when it has no request left", () =>
    Effect.gen(function* () {
      const now = yield* Clock.currentTimeMillis
      const reset = String(Math.floor(now / 1000) + 60)
      const headers = { "x-ratelimit-remaining-requests": "0", "x-ratelimit-reset-requests": reset }
      const answers = [
        () => new Response("{}", { status: 429, headers: { "retry-after": "20" } }),
        () => Response.json(Wire.response(), { headers }),
        good
      ]
      const { layer, service } = limited({ concurrency: 4 }, (number) => answers[number]?.() ?? good())
      yield* Effect.gen(function* () {
        yield* Effect.exit(call)
        const fiber = yield* Effect.forkChild(Effect.andThen(call, call))
        for (let step = 0; step < 16; step++) yield* Service.advance("5 seconds")
        yield* Service.join(fiber)
      }).pipe(Effect.provide(layer))
      const times = sentAt(service)
      expect(times[1]).toBeGreaterThanOrEqual(20)
      expect(times[2]).toBeGreaterThanOrEqual(60)
    })
  )

  /** Options whose types are not checked, as in plain JavaScript. */
  const plain = (options: object): ImagesLimit.Options => ({ ...options })

  const wrong = [
    [{}, "limit or concurrency must be set (got neither)"],
    [{ limit: 0 }, "limit must be an integer of at least 1 (got 0)"],
    [{ limit: -1, concurrency: 1.5 }, "limit must be an integer of at least 1 (got -1); concurrency must be"],
    [{ limit: 1, window: 0 }, "window must be a duration above 0"],
    [plain({ limit: 1, algorithm: "leaky" }), 'algorithm must be "fixed-window" or "token-bucket" (got "leaky")'],
    [plain({ limit: 1, onExceeded: "wait" }), 'onExceeded must be "delay" or "fail" (got "wait")']
  ] as const

  it.effect.each(wrong)("refuses options that cannot be used when it is built: %o", ([options, message]) =>
    Effect.gen(function* () {
      const { layer } = limited(options, good)
      const error = yield* Effect.flip(Effect.scoped(Layer.build(layer)))
      expect(error.reason._tag).toBe("InvalidParamsError")
      expect(error.message).toContain(message)
    })
  )
})
