import { assert, describe, it } from "@effect/vitest"
import {
  GeneratedImage,
  type GradientError,
  ImageGenStreamEvent,
  ImageGenerateResponse,
  Images,
  RetryPolicy
} from "@effect-gradient/core"
import { TestImages, TestTransport } from "@effect-gradient/core/testing"
import { Cause, DateTime, Effect, Exit, Fiber, Redacted, Stream } from "effect"
import { HttpClient } from "effect/http"
import { TestClock } from "effect/testing"

const params = { prompt: "A sea otter" }
const { png, webp } = TestImages

const reply = new ImageGenerateResponse.ImageGenerateResponse({
  created: DateTime.makeUnsafe("2026-11-22T15:00:00Z"),
  data: [new GeneratedImage.GeneratedImage({ bytes: png, revisedPrompt: "An otter at sea" })],
  quality: "high",
  usage: { inputTokens: 8, totalTokens: 1008, inputTokensDetails: { textTokens: 8 } },
  requestId: "req-1",
  rateLimit: {
    limit: 250,
    remaining: 249,
    resetAt: DateTime.makeUnsafe(60_000),
    tokensPerMinute: { limit: 100_000, remaining: 98_000, resetAt: DateTime.makeUnsafe(30_000) },
    tokensPerDay: { remaining: 5_000_000 }
  }
})
const partial = new ImageGenStreamEvent.PartialImage({ bytes: webp, partialImageIndex: 0, partialImages: 1 })
const completed = new ImageGenStreamEvent.Completed({ bytes: png, requestId: "req-2", usage: reply.usage })

const reasonOf = <A, R>(call: Effect.Effect<A, GradientError.GradientError, R>) =>
  Effect.map(Effect.flip(call), ({ reason }) => reason)

/** The tags of the events that a stream emits, and the reason with which it fails. */
const collect = Effect.gen(function* () {
  const came: Array<string> = []
  const exit = yield* Images.generateStream(params, { retry: RetryPolicy.none }).pipe(
    Stream.runForEach((event) => Effect.sync(() => came.push(event._tag))),
    Effect.flip,
    Effect.exit
  )
  return { came, reason: Exit.isSuccess(exit) ? exit.value.reason : undefined }
})

describe("TestTransport.response", () => {
  it.effect("replies with the response it was made from, including headers", () =>
    Effect.gen(function* () {
      assert.deepStrictEqual(yield* Images.generate(params), reply)
    }).pipe(Effect.provide(TestTransport.layerImages([TestTransport.response(reply)])))
  )

  it.effect("sends only members of the wire", () =>
    Effect.gen(function* () {
      const answer = yield* Effect.flatMap(HttpClient.get("http://localhost"), ({ json }) => json)
      assert.deepStrictEqual(answer, {
        created: 1_795_359_600,
        data: [{ b64_json: Buffer.from(png).toString("base64"), revised_prompt: "An otter at sea" }],
        quality: "high",
        usage: { input_tokens: 8, total_tokens: 1008, input_tokens_details: { text_tokens: 8 } }
      })
    }).pipe(Effect.provide(TestTransport.layer([TestTransport.response(reply)])))
  )
})

describe("TestTransport.events", () => {
  it.effect("replies with the events it was made from, for every chunk size", () =>
    Effect.gen(function* () {
      for (const _ of [1, 2, 3]) {
        const events = yield* Stream.runCollect(Images.generateStream(params))
        assert.deepStrictEqual(events, [partial, completed])
      }
    }).pipe(
      Effect.provide(
        TestTransport.layerImages([
          TestTransport.events([partial, completed]),
          TestTransport.events([": ping\n\n", partial, ": ping\n\n", completed], { chunkSize: 1 }),
          TestTransport.events([partial, completed], { chunkSize: 100_000 })
        ])
      )
    )
  )

  it.effect("sends each event after its interval, on the Clock", () =>
    Effect.gen(function* () {
      const came: Array<string> = []
      const run = yield* Images.generateStream(params).pipe(
        Stream.runForEach((event) => Effect.sync(() => came.push(event._tag))),
        Effect.forkChild
      )
      yield* TestClock.adjust("9 seconds")
      assert.deepStrictEqual(came, [])
      yield* TestClock.adjust("1 second")
      assert.deepStrictEqual(came, ["PartialImage"])
      yield* TestClock.adjust("10 seconds")
      assert.deepStrictEqual(came, ["PartialImage", "Completed"])
      yield* Fiber.join(run)
    }).pipe(
      Effect.provide(
        TestTransport.layerImages([TestTransport.events([partial, completed], { interval: "10 seconds" })])
      )
    )
  )

  it.effect("sends a string unchanged", () =>
    Effect.gen(function* () {
      const { came, reason } = yield* collect
      assert.deepStrictEqual(came, ["PartialImage"])
      assert.strictEqual(reason?._tag, "ContentPolicyError")
    }).pipe(
      Effect.provide(
        TestTransport.layerImages([
          TestTransport.events([partial, `data: {"error":{"message":"No","code":"moderation_blocked"}}\n\n`])
        ])
      )
    )
  )

  const cuts = [
    ["ends early", { cutAt: -3, end: "close" }, "IncompleteStreamError"],
    ["breaks", { cutAt: -10, end: "reset" }, "DisconnectedError"],
    ["breaks where it is told to", { cutAt: 280, end: "reset" }, "DisconnectedError"]
  ] as const
  it.effect.each(cuts)("%s within its last event", ([, options, tag]) =>
    Effect.gen(function* () {
      const { came, reason } = yield* collect
      assert.deepStrictEqual(came, ["PartialImage"])
      assert.strictEqual(reason?._tag, tag)
      assert.deepStrictEqual(
        (yield* TestTransport.requests).map(({ aborted }) => aborted),
        [false]
      )
    }).pipe(Effect.provide(TestTransport.layerImages([TestTransport.events([partial, completed], options)])))
  )

  it.effect("hangs until the caller's timeout, and records that the request was aborted", () =>
    Effect.gen(function* () {
      const run = yield* Effect.forkChild(collect)
      yield* TestClock.adjust("5 minutes")
      const { came, reason } = yield* Fiber.join(run)
      assert.deepStrictEqual(came, ["PartialImage"])
      assert.strictEqual(reason?._tag === "RequestTimeoutError" ? reason.phase : undefined, "idle")
      assert.deepStrictEqual(
        (yield* TestTransport.requests).map(({ aborted }) => aborted),
        [true]
      )
    }).pipe(Effect.provide(TestTransport.layerImages([TestTransport.events([partial], { end: "hang" })])))
  )
})

describe("TestTransport.respond", () => {
  it.effect("replies with a status, headers and JSON or text", () =>
    Effect.gen(function* () {
      const limited = yield* reasonOf(Images.generate(params))
      assert.strictEqual(limited._tag, "RateLimitError")
      assert.strictEqual(limited.description, "Slower")
      const html = yield* reasonOf(Images.generate(params))
      assert.strictEqual(html._tag, "InternalServerError")
      assert.strictEqual(html.description, "Bad Gateway")
    }).pipe(
      Effect.provide(
        TestTransport.layerImages([
          TestTransport.respond({ status: 429, headers: { "retry-after": "90" }, json: { message: "Slower" } }),
          TestTransport.respond({
            status: 502,
            headers: { "content-type": "text/html" },
            text: "<title>Bad Gateway</title>"
          })
        ])
      )
    )
  )

  it.effect("replies with bytes, in chunks of this size", () =>
    Effect.gen(function* () {
      const { headers, stream } = yield* HttpClient.get("http://localhost")
      assert.strictEqual(headers["content-type"], "application/octet-stream")
      const chunks = yield* Stream.runCollect(stream)
      assert.deepStrictEqual(
        chunks.map(({ length }) => length),
        [30, 30, 14]
      )
      assert.deepStrictEqual(new Uint8Array(Buffer.concat(chunks)), png)
    }).pipe(Effect.provide(TestTransport.layer([TestTransport.respond({ bytes: png, chunkSize: 30 })])))
  )
})

describe("a step that fails", () => {
  it.effect("fails before sending, which is retried, or after sending, which is not", () =>
    Effect.gen(function* () {
      const call = yield* Effect.forkChild(Effect.flip(Images.generate(params)))
      yield* TestClock.adjust("10 seconds")
      const error = yield* Fiber.join(call)
      assert.deepStrictEqual(
        error.attempts.map(({ reason }) => [reason._tag, reason.mayHaveBeenCharged, reason.description]),
        [
          ["ConnectionError", false, "the test transport does not connect"],
          ["ConnectionError", false, "no route"],
          ["DisconnectedError", true, "the test transport hangs up"]
        ]
      )
      assert.isFalse((yield* TestTransport.requests).some(({ aborted }) => aborted))
    }).pipe(
      Effect.provide(
        TestTransport.layerImages([
          TestTransport.failNotSent(),
          TestTransport.failNotSent(new Error("no route")),
          TestTransport.failSent()
        ])
      )
    )
  )

  it.effect("does not change its cause", () =>
    Effect.gen(function* () {
      const first = yield* reasonOf(Images.generate(params, { retry: RetryPolicy.none }))
      const second = yield* reasonOf(Images.generate(params, { retry: RetryPolicy.none }))
      assert.deepStrictEqual([first._tag, second._tag], ["ConnectionError", "DisconnectedError"])
    }).pipe(
      Effect.provide(TestTransport.layerImages([TestTransport.failNotSent(shared), TestTransport.failSent(shared)]))
    )
  )
})

const shared = new Error("cable cut")

describe("a step as an Effect", () => {
  it.effect("replies late with Effect.delay, and never with Effect.never", () =>
    Effect.gen(function* () {
      const late = yield* Effect.forkChild(Images.generate(params))
      yield* TestClock.adjust("29 seconds")
      assert.isUndefined(late.pollUnsafe())
      yield* TestClock.adjust("1 second")
      assert.deepStrictEqual(yield* Fiber.join(late), reply)

      const never = yield* Effect.forkChild(Images.generate(params))
      yield* TestClock.adjust("1 minute")
      yield* Fiber.interrupt(never)
      assert.deepStrictEqual(
        (yield* TestTransport.requests).map(({ aborted }) => aborted),
        [false, true]
      )
    }).pipe(
      Effect.provide(
        TestTransport.layerImages([Effect.delay(TestTransport.response(reply), "30 seconds"), Effect.never])
      )
    )
  )
})

describe("TestTransport.layer", () => {
  it.effect("dies when the script has no step for a request, and names the request", () =>
    Effect.gen(function* () {
      yield* Images.generate(params)
      const exit = yield* Effect.exit(Images.generate(params))
      assert.isTrue(Exit.isFailure(exit) && Cause.hasDies(exit.cause))
      assert.include(String(exit), "the script has no step for request 2, only for 1: POST https://")
      assert.lengthOf(yield* TestTransport.requests, 2)
    }).pipe(Effect.provide(TestTransport.layerImages([TestTransport.response(reply)])))
  )

  it.effect("calls a function for each step", () =>
    Effect.gen(function* () {
      assert.strictEqual((yield* reasonOf(Images.generate(params))).status, 401)
      assert.strictEqual((yield* reasonOf(Images.generate(params))).description, "POST 1")
    }).pipe(
      Effect.provide(
        TestTransport.layerImages(({ method }, number) =>
          number === 0
            ? TestTransport.respond({ status: 401, text: "" })
            : TestTransport.respond({ status: 404, text: `${method} ${number}` })
        )
      )
    )
  )

  it.effect("records requests with their secrets redacted", () =>
    Effect.gen(function* () {
      yield* Images.generate(params, {
        idempotencyKey: "order-1",
        headers: { "x-team": "otters", "x-auth-hint": "hush" },
        extraBody: { note: `sent with ${key}` }
      })
      const seen = yield* TestTransport.requests
      assert.deepStrictEqual(seen, [
        {
          method: "POST",
          url: "http://REDACTED:REDACTED@localhost/v1/images/generations",
          headers: {
            accept: "application/json, text/event-stream",
            authorization: "<redacted>",
            "content-length": "105",
            "content-type": "application/json",
            "idempotency-key": "order-1",
            "x-auth-hint": "<redacted>",
            "x-team": "otters"
          },
          body: { prompt: "A sea otter", model: "openai-gpt-image-2", n: 1, note: "sent with <redacted>" },
          aborted: false
        }
      ])
    }).pipe(
      Effect.provide(
        TestTransport.layerImages([TestTransport.response(reply)], {
          baseUrl: "http://otter:secret@localhost/v1",
          modelAccessKey: Redacted.make(key)
        })
      )
    )
  )

  it.effect.each(["response", "events"] as const)("records that a complete reply did not end: %s", (form) =>
    Effect.gen(function* () {
      const call = form === "events" ? Stream.runDrain(Images.generateStream(params)) : Images.generate(params)
      yield* call
      assert.deepStrictEqual(
        (yield* TestTransport.requests).map(({ aborted }) => aborted),
        [true]
      )
    }).pipe(
      Effect.provide(
        TestTransport.layerImages([
          form === "events"
            ? TestTransport.events([partial, completed], { end: "hang" })
            : TestTransport.response(reply, { end: "hang" })
        ])
      )
    )
  )

  it.effect("records that a caller stopped a stream early", () =>
    Effect.gen(function* () {
      yield* Stream.runDrain(Stream.take(Images.generateStream(params), 1))
      yield* Stream.runDrain(Images.generateStream(params))
      assert.deepStrictEqual(
        (yield* TestTransport.requests).map(({ aborted }) => aborted),
        [true, false]
      )
    }).pipe(Effect.provide(TestTransport.layerImages(() => TestTransport.events([partial, completed]))))
  )
})

const key = "sk-of-the-tests-0123456789"
