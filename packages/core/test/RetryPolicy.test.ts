import { describe, expect, it } from "@effect/vitest"
import * as DateTime from "effect/DateTime"
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as Fiber from "effect/Fiber"
import * as Random from "effect/Random"
import * as Schedule from "effect/Schedule"
import * as Stream from "effect/Stream"
import * as TestClock from "effect/testing/TestClock"
import { type GradientClient, Images, RetryPolicy } from "../src/index.ts"
import * as Service from "./support/Service.ts"
import * as Wire from "./support/Wire.ts"

const prompt = "a sea otter"

const refused = (status: number, headers: Record<string, string> = {}) => new Response(null, { status, headers })

const failure = (properties: object) => Object.assign(new Error("failed"), properties)

/** Runs a call for up to an hour. Returns its requests, their times in milliseconds, and the Exit of the call. */
const called = (
  answer: (number: number) => Service.Answer,
  layer: GradientClient.Options = {},
  call: GradientClient.RequestOptions = {}
) =>
  Effect.gen(function* () {
    const service = Service.make(answer, layer)
    const fiber = yield* Images.generate({ prompt }, call).pipe(Effect.provide(service.layer), Effect.forkChild)
    yield* Service.settle
    for (let minute = 0; minute < 60 && fiber.pollUnsafe() === undefined; minute++) yield* Service.advance("1 minute")
    const exit = yield* Effect.exit(Service.join(fiber))
    return { times: service.asked.map(({ at }) => at), asked: service.asked, exit }
  })

const countOf = (answer: (number: number) => Service.Answer, options: GradientClient.Options = {}) =>
  Effect.map(called(answer, options), ({ times }) => times.length)

describe("RetryPolicy", () => {
  describe("chargeSafe", () => {
    it.effect.each([
      { what: "429", answer: () => refused(429) },
      { what: "409", answer: () => refused(409) },
      { what: "408", answer: () => refused(408) },
      { what: "503 with retry-after", answer: () => refused(503, { "retry-after": "1" }) },
      { what: "400 with x-should-retry: true", answer: () => refused(400, { "x-should-retry": "true" }) },
      { what: "a refused connection", answer: () => failure({ syscall: "connect", code: "ECONNREFUSED" }) },
      { what: "a name that is not found", answer: () => failure({ syscall: "getaddrinfo", code: "ENOTFOUND" }) },
      { what: "a connect timeout", answer: () => failure({ code: "UND_ERR_CONNECT_TIMEOUT" }) }
    ])("asks 3 times in all after $what", ({ answer }) =>
      Effect.gen(function* () {
        expect(yield* countOf(answer)).toBe(3)
      })
    )

    it.effect.each([
      { what: "400", answer: () => refused(400) },
      { what: "401", answer: () => refused(401) },
      { what: "402", answer: () => refused(402) },
      { what: "403", answer: () => refused(403) },
      { what: "404", answer: () => refused(404) },
      { what: "422", answer: () => refused(422) },
      { what: "a redirect", answer: () => refused(307, { location: "https://elsewhere.test" }) },
      { what: "500", answer: () => refused(500) },
      { what: "500 with retry-after", answer: () => refused(500, { "retry-after": "1" }) },
      { what: "500 with x-should-retry: true", answer: () => refused(500, { "x-should-retry": "true" }) },
      { what: "502", answer: () => refused(502) },
      { what: "503 without retry-after", answer: () => refused(503) },
      { what: "504", answer: () => refused(504) },
      { what: "429 with x-should-retry: false", answer: () => refused(429, { "x-should-retry": "false" }) },
      {
        what: "429 for want of credit",
        answer: () => Response.json({ error: { message: "no", code: "insufficient_quota" } }, { status: 429 })
      },
      {
        what: "a duplicate attempt",
        answer: () => Response.json({ error: { message: "no", code: "duplicate_attempt" } }, { status: 409 })
      },
      { what: "a connection that broke", answer: () => failure({ syscall: "read", code: "ECONNRESET" }) },
      { what: "an answer that did not come", answer: () => failure({ code: "UND_ERR_HEADERS_TIMEOUT" }) },
      { what: "a reply that is no JSON", answer: () => new Response("{}}") },
      { what: "a reply that breaks off", answer: () => new Response(Wire.body(["{"], new Error("reset"))) }
    ])("asks once, and never again, after $what", ({ answer }) =>
      Effect.gen(function* () {
        const { exit, times } = yield* called(answer)
        expect(times.length).toBe(1)
        expect(exit._tag).toBe("Failure")
      })
    )

    it.effect("waits 0.5 s and then 1 s, less up to a quarter", () =>
      Effect.gen(function* () {
        const waits: Array<ReadonlyArray<number>> = []
        for (let seed = 0; seed < 20; seed++) {
          const { times } = yield* called(() => refused(429)).pipe(Random.withSeed(seed))
          const [first = 0, second = 0, third = 0] = times
          waits.push([second - first, third - second])
        }
        for (const [first, second] of waits) {
          expect(first).toBeGreaterThanOrEqual(375)
          expect(first).toBeLessThanOrEqual(500)
          expect(second).toBeGreaterThanOrEqual(750)
          expect(second).toBeLessThanOrEqual(1000)
        }
        expect(new Set(waits.map(([first]) => first)).size).toBeGreaterThan(10)
      })
    )

    it.effect("returns the result of a successful retry", () =>
      Effect.gen(function* () {
        const { exit, times } = yield* called((number) =>
          number === 0 ? refused(429) : Response.json(Wire.response())
        )
        expect(times.length).toBe(2)
        expect(exit._tag).toBe("Success")
      })
    )

    it.effect("sends the same body and idempotency key again", () =>
      Effect.gen(function* () {
        const { asked } = yield* called(() => refused(429), {}, { idempotencyKey: "the-key" })
        expect(asked.map(({ headers }) => headers["idempotency-key"])).toEqual(["the-key", "the-key", "the-key"])
        expect(new Set(asked.map(({ body }) => JSON.stringify(body))).size).toBe(1)
      })
    )
  })

  describe("rules of the service", () => {
    const waitAfter = (headers: Record<string, string>) =>
      Effect.map(
        called((number) => (number === 0 ? refused(429, headers) : refused(400))),
        ({ exit, times }) => ({
          wait: (times[1] ?? Number.NaN) - (times[0] ?? Number.NaN),
          exit
        })
      )

    it.effect.each([
      { headers: { "retry-after-ms": "1234" }, wait: 1234 },
      { headers: { "retry-after": "7" }, wait: 7_000 },
      { headers: { "retry-after": "60" }, wait: 60_000 },
      { headers: { "retry-after": "Thu, 01 Jan 1970 00:00:09 GMT" }, wait: 9_000 },
      { headers: { "retry-after-ms": "100", "retry-after": "9" }, wait: 100 },
      { headers: { "retry-after": "0" }, wait: 0 },
      { headers: { "retry-after-ms": "0", "retry-after": "9" }, wait: 0 },
      { headers: { "retry-after-ms": "-1", "retry-after": "9" }, wait: 9_000 },
      { headers: { "retry-after": "0.5" }, wait: 500 },
      { headers: { "retry-after": "1.25" }, wait: 1250 },
      { headers: { "retry-after": "60.0" }, wait: 60_000 },
      { headers: { "retry-after": "3", "x-ratelimit-reset-requests": "40" }, wait: 3_000 }
    ])("$headers is obeyed", ({ headers, wait }) =>
      Effect.gen(function* () {
        expect((yield* waitAfter(headers)).wait).toBe(wait)
      })
    )

    it.effect.each([{ "retry-after": "soon" }, { "retry-after": "" }, { "retry-after-ms": "x" }])(
      "%o is ignored, and the policy's delay is used",
      (headers) =>
        Effect.gen(function* () {
          const { wait } = yield* waitAfter(headers)
          expect(wait).toBeGreaterThanOrEqual(375)
          expect(wait).toBeLessThanOrEqual(500)
        })
    )

    it.effect.each([
      { "retry-after": "61" },
      { "retry-after": "60.001" },
      { "retry-after-ms": "60001" },
      { "retry-after": "Thu, 01 Jan 1970 00:02:00 GMT" }
    ])("%o is too long: there is no retry, and the error carries it", (headers) =>
      Effect.gen(function* () {
        const service = Service.make(() => refused(429, headers), { retry: RetryPolicy.eager })
        const reason = yield* Images.generate({ prompt }).pipe(Service.reasonOf, Effect.provide(service.layer))
        expect(service.asked.length).toBe(1)
        expect(Duration.toMillis(reason.retryAfter ?? 0)).toBeGreaterThan(60_000)
      })
    )

    it.effect.each([
      { headers: { "x-ratelimit-reset-requests": "20" }, least: 20_000 },
      { headers: { "x-ratelimit-reset-requests": "20s" }, least: 20_000 },
      {
        headers: { "x-ratelimit-reset-tokens-per-minute": "30", "x-ratelimit-reset-tokens-per-day": "9000" },
        least: 30_000
      },
      { headers: { "x-ratelimit-reset-requests": "0", "x-ratelimit-reset-tokens-per-minute": "30" }, least: 30_000 },
      { headers: { "ratelimit-reset": "12" }, least: 12_000 },
      { headers: { "x-ratelimit-reset-requests": "0.2" }, least: 1000 },
      { headers: { "x-ratelimit-reset-requests": "60" }, least: 60_000 }
    ])("after a 429 with $headers the soonest reset is waited for, and 250 to 500 ms", ({ headers, least }) =>
      Effect.gen(function* () {
        const waits: Array<number> = []
        for (let seed = 0; seed < 8; seed++) {
          yield* TestClock.setTime(0)
          waits.push((yield* waitAfter(headers).pipe(Random.withSeed(seed))).wait)
        }
        for (const wait of waits) {
          expect(wait).toBeGreaterThanOrEqual(least + 250)
          expect(wait).toBeLessThanOrEqual(least + 501)
        }
        expect(new Set(waits).size).toBeGreaterThan(4)
      })
    )

    it.effect("waits a second if the reset seems to be in the past", () =>
      Effect.gen(function* () {
        yield* TestClock.setTime(1_760_000_000_000)
        const { wait } = yield* waitAfter({ "x-ratelimit-reset-requests": "1759999900" })
        expect(wait).toBeGreaterThanOrEqual(1250)
        expect(wait).toBeLessThanOrEqual(1501)
      })
    )

    it.effect("reads a reset that is years ago as seconds from now", () =>
      Effect.gen(function* () {
        yield* TestClock.setTime(1_760_000_000_000)
        const { wait } = yield* waitAfter({ "ratelimit-reset": "30" })
        expect(wait).toBeGreaterThanOrEqual(30_250)
        expect(wait).toBeLessThanOrEqual(30_501)
      })
    )

    it.effect("ignores a reset of 0, and uses the policy's delay", () =>
      Effect.gen(function* () {
        const { wait } = yield* waitAfter({ "x-ratelimit-reset-requests": "0" })
        expect(wait).toBeGreaterThanOrEqual(375)
        expect(wait).toBeLessThanOrEqual(500)
      })
    )

    it.effect("a reset in more than a minute ends the retries, and the error carries it", () =>
      Effect.gen(function* () {
        const service = Service.make(() => refused(429, { "x-ratelimit-reset-tokens-per-day": "9000" }), {
          retry: RetryPolicy.eager
        })
        const reason = yield* Images.generate({ prompt }).pipe(
          Service.failsWith("RateLimitError"),
          Effect.provide(service.layer)
        )
        expect(service.asked.length).toBe(1)
        expect(reason.tokensPerDay?.resetAt).toEqual(DateTime.makeUnsafe(9_000_000))
        expect(reason.message).toContain("A limit is reset at 1970-01-01T02:30:00.000Z.")
      })
    )

    it.effect("x-should-retry: false stops under any policy", () =>
      Effect.gen(function* () {
        const retry: RetryPolicy.RetryPolicy = { while: () => true, schedule: Schedule.recurs(5) }
        expect(yield* countOf(() => refused(429, { "x-should-retry": "false" }), { retry })).toBe(1)
      })
    )
  })

  describe("others", () => {
    it.effect("eager also retries failures that may have been charged for", () =>
      Effect.gen(function* () {
        for (const answer of [
          () => refused(500),
          () => failure({ syscall: "read" }),
          () => new Response(Wire.body(["{"], new Error("reset")))
        ]) {
          expect(yield* countOf(answer, { retry: RetryPolicy.eager })).toBe(3)
        }
        expect(yield* countOf(() => refused(400), { retry: RetryPolicy.eager })).toBe(1)
        const never = { "x-should-retry": "false" }
        expect(yield* countOf(() => refused(500, never), { retry: RetryPolicy.eager })).toBe(1)
      })
    )

    it.effect("eager does not retry permanent failures, nor failures that carry an image", () =>
      Effect.gen(function* () {
        const image = JSON.stringify(Wire.response([Wire.png(), Wire.png()])).slice(0, -3)
        for (const answer of [
          () => new Response("not JSON"),
          () => Response.json({ error: { message: "no", code: "invalid_api_key" } }),
          () => Response.json({ error: { message: "no", code: 400 } }),
          () => new Response(Wire.body([image], new Error("reset")))
        ]) {
          expect(yield* countOf(answer, { retry: RetryPolicy.eager })).toBe(1)
        }
      })
    )

    it.effect("none never retries", () =>
      Effect.gen(function* () {
        expect(yield* countOf(() => refused(429), { retry: RetryPolicy.none })).toBe(1)
      })
    )

    it.effect("a schedule changes the timing and keeps the `while` of chargeSafe", () =>
      Effect.gen(function* () {
        const retry = Schedule.upTo(Schedule.spaced("10 seconds"), { times: 4 })
        expect((yield* called(() => refused(429), { retry })).times).toEqual([0, 10_000, 20_000, 30_000, 40_000])
        expect(yield* countOf(() => refused(500), { retry })).toBe(1)
      })
    )

    it.effect("a custom policy decides by the reason", () =>
      Effect.gen(function* () {
        const retry: RetryPolicy.RetryPolicy = {
          while: (reason) => reason._tag === "NotFoundError",
          schedule: Schedule.recurs(1)
        }
        expect(yield* countOf(() => refused(404), { retry })).toBe(2)
        expect(yield* countOf(() => refused(429), { retry })).toBe(1)
      })
    )

    it.effect("the policy of a call overrides the layer's", () =>
      Effect.gen(function* () {
        const options = { retry: RetryPolicy.none }
        expect((yield* called(() => refused(429), { retry: RetryPolicy.chargeSafe }, options)).times.length).toBe(1)
        expect((yield* called(() => refused(429), options, { retry: RetryPolicy.eager })).times.length).toBe(3)
      })
    )
  })

  describe("of a stream", () => {
    const streamed = (answer: (number: number) => Service.Answer, retry: RetryPolicy.RetryPolicy) =>
      Effect.gen(function* () {
        const service = Service.make(answer, { retry })
        const tags: Array<string> = []
        const fiber = yield* Images.generateStream({ prompt }).pipe(
          Stream.runForEach((event) => Effect.sync(() => tags.push(event._tag))),
          Effect.flip,
          Effect.provide(service.layer),
          Effect.forkChild
        )
        yield* Service.settle
        yield* Service.advance("1 minute")
        yield* Service.advance("1 minute")
        const error = yield* Service.join(fiber)
        return { count: service.asked.length, tags, error, asked: service.asked }
      })

    it.effect("is retried before its first event", () =>
      Effect.gen(function* () {
        expect((yield* streamed(() => refused(429), RetryPolicy.chargeSafe)).count).toBe(3)
        const empty = yield* streamed(() => Wire.stream([": ping\n\n"]), RetryPolicy.eager)
        expect(empty.count).toBe(3)
        expect(empty.error.attempts.length).toBe(3)
        expect(empty.error.reason._tag).toBe("IncompleteStreamError")
        expect(empty.asked.every(({ signal }) => signal.aborted)).toBe(true)
      })
    )

    it.effect("closes the connection of an attempt before it waits for the next", () =>
      Effect.gen(function* () {
        const service = Service.make(() => Wire.stream(["data: [DONE]\n\n"], "hangs"), { retry: RetryPolicy.eager })
        const fiber = yield* Stream.runDrain(Images.generateStream({ prompt })).pipe(
          Effect.provide(service.layer),
          Effect.forkChild
        )
        yield* Service.settle
        expect(service.asked.map(({ signal }) => signal.aborted)).toEqual([true])
        yield* Fiber.interrupt(fiber)
      })
    )

    it.effect("is never retried after its first event, under any policy", () =>
      Effect.gen(function* () {
        const retry: RetryPolicy.RetryPolicy = { while: () => true, schedule: Schedule.recurs(5) }
        const { count, error, tags } = yield* streamed(
          (number) => (number === 0 ? refused(429) : Wire.stream([Wire.event(Wire.partial(0))])),
          retry
        )
        expect(count).toBe(2)
        expect(tags).toEqual(["PartialImage"])
        expect(error.attempts.map(({ reason }) => reason._tag)).toEqual(["RateLimitError", "IncompleteStreamError"])
      })
    )
  })

  it.effect("interrupting a wait ends it at once", () =>
    Effect.gen(function* () {
      const service = Service.make(() => refused(429, { "retry-after": "50" }))
      const fiber = yield* Images.generate({ prompt }).pipe(Effect.provide(service.layer), Effect.forkChild)
      yield* Service.settle
      yield* Fiber.interrupt(fiber)
      yield* Service.advance("10 minutes")
      expect(service.asked.length).toBe(1)
    })
  )

  it.effect("an error has the reason and the duration of each attempt", () =>
    Effect.gen(function* () {
      const service = Service.make((number) =>
        Effect.delay(Effect.succeed(refused(number === 0 ? 429 : 400)), number === 0 ? "3 seconds" : "5 seconds")
      )
      const fiber = yield* Images.generate({ prompt }).pipe(
        Effect.flip,
        Effect.provide(service.layer),
        Effect.forkChild
      )
      yield* Service.settle
      for (let second = 0; second < 20; second++) yield* Service.advance("1 second")
      const { attempts } = yield* Service.join(fiber)
      expect(attempts.map(({ elapsed, reason }) => [reason._tag, Duration.toMillis(elapsed)])).toEqual([
        ["RateLimitError", 3000],
        ["BadRequestError", 5000]
      ])
    })
  )
})
