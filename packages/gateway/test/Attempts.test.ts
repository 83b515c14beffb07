import { assert, describe, it } from "@effect/vitest"
import { type Attempt, GradientError, ImageGenerateParams, Images, RetryPolicy } from "@effect-gradient/core"
import { NodeImages } from "@effect-gradient/node"
import { Duration, Effect, Fiber, Redacted } from "effect"
import { randomUUID } from "node:crypto"
import { alice, answerImages, asStream, bob, call, gatewayTo, refusal, streaming } from "./support/gateway.ts"
import { eventually, partialImage, png, serve } from "../../node/test/support/server.ts"

describe("attempts", () => {
  it.live("a second request with the same id is a 409 and is not sent, while the first runs and after it", () =>
    Effect.gen(function* () {
      let answerNow = () => {}
      const server = yield* serve((request, response) => (answerNow = () => answerImages(request, response)))
      const baseUrl = yield* gatewayTo({ upstream: server.baseUrl, limits: { images: 1 } })
      const headers = { "x-attempt-id": randomUUID() }
      const first = yield* Effect.forkChild(call(baseUrl, { headers }))
      yield* eventually(() => server.requests.length === 1, "the first is at work")
      const during = yield* refusal(baseUrl, { headers })
      answerNow()
      assert.strictEqual((yield* Fiber.join(first)).status, 200)
      for (const { code, headers: told, status } of [during, yield* refusal(baseUrl, { headers })]) {
        // Although the caller's limit is reached, the status is not 429, because a client would retry a 429 with
        // another id.
        assert.deepStrictEqual([status, code], [409, "duplicate_attempt"])
        assert.strictEqual(told.get("x-should-retry"), "false")
      }
      assert.strictEqual(server.requests.length, 1)
    }).pipe(Effect.scoped)
  )

  it.live("also if the first connection broke before its headers, after which Chromium resends", () =>
    Effect.gen(function* () {
      const server = yield* serve(() => undefined)
      const baseUrl = yield* gatewayTo({ upstream: server.baseUrl })
      const headers = { "x-attempt-id": randomUUID() }
      const leaving = new AbortController()
      const first = yield* Effect.forkChild(Effect.exit(call(baseUrl, { headers, signal: leaving.signal })))
      yield* eventually(() => server.requests.length === 1, "the first is at work")
      leaving.abort()
      yield* eventually(() => server.sockets.size === 0, "the first is interrupted")
      assert.strictEqual((yield* refusal(baseUrl, { headers })).status, 409)
      assert.strictEqual(server.requests.length, 1)
      yield* Fiber.await(first)
    }).pipe(Effect.scoped)
  )

  it.live("this library does not retry it, because it may have been charged for", () =>
    Effect.gen(function* () {
      const server = yield* serve(answerImages)
      const baseUrl = yield* gatewayTo({ upstream: server.baseUrl })
      const again = Images.generate({ prompt: "x" }, { headers: { "x-attempt-id": randomUUID() } }).pipe(
        Effect.andThen(Effect.void),
        Effect.repeat({ times: 1 })
      )
      const layer = NodeImages.layer({ baseUrl, modelAccessKey: Redacted.make(alice), retry: RetryPolicy.eager })
      const error = yield* Effect.flip(again).pipe(Effect.provide(layer))
      assert.strictEqual(error.reason._tag, "ConflictError")
      assert.isTrue(error.mayHaveBeenCharged)
      assert.strictEqual(error.attempts.length, 1)
      assert.strictEqual(server.requests.length, 1)
    }).pipe(Effect.scoped)
  )

  it.live("an id can be used again if its request was refused, and by another caller", () =>
    Effect.gen(function* () {
      const server = yield* serve(answerImages)
      const baseUrl = yield* gatewayTo({ upstream: server.baseUrl })
      const headers = { "x-attempt-id": randomUUID() }
      assert.strictEqual((yield* refusal(baseUrl, { headers, body: { prompt: "" } })).status, 400)
      assert.strictEqual((yield* call(baseUrl, { headers })).status, 200)
      assert.strictEqual((yield* call(baseUrl, { headers, key: bob })).status, 200)
    }).pipe(Effect.scoped)
  )

  it.live("an id that is not 128 bits in hexadecimal is refused", () =>
    Effect.gen(function* () {
      const baseUrl = yield* gatewayTo({ upstream: "http://127.0.0.1:1" })
      for (const id of ["1", "g".repeat(32), `${randomUUID()}0`]) {
        const { message, param, status } = yield* refusal(baseUrl, { headers: { "x-attempt-id": id } })
        assert.deepStrictEqual([status, param], [400, "x-attempt-id"])
        assert.include(message, "'x-attempt-id' must be 32 hexadecimal digits, with or without hyphens")
      }
      for (const id of ["0".repeat(32), randomUUID()]) {
        assert.strictEqual((yield* refusal(baseUrl, { headers: { "x-attempt-id": id } })).status, 503)
      }
    }).pipe(Effect.scoped)
  )
})

describe("entries of Attempt.Around", () => {
  /** Makes an entry of `Attempt.Around` that records when its functions are called. */
  const recorder = () => {
    const recorded: Array<string> = []
    const entry: Attempt.Entry = {
      wait: ({ kind, params }) => Effect.sync(() => void recorded.push(`wait ${kind} ${params.model} ${params.n}`)),
      begin: () => Effect.sync(() => void recorded.push("begin")),
      end: (_, outcome) =>
        Effect.sync(() => {
          const reason = outcome._tag === "Failed" || outcome._tag === "NotSent" ? ` ${outcome.reason?._tag}` : ""
          recorded.push(`end ${outcome._tag}${reason}`)
        })
    }
    return { entry, recorded }
  }

  it.live("run around each request, with its outcome", () =>
    Effect.gen(function* () {
      const server = yield* serve((request, response, body) => {
        if (body.includes("fail")) response.writeHead(500).end()
        else if (body.includes("cut")) response.writeHead(200, { "content-length": "10" }).write("{")
        else answerImages(request, response)
        if (body.includes("cut")) setTimeout(() => response.socket?.resetAndDestroy(), 50)
      })
      const { entry, recorded } = recorder()
      const baseUrl = yield* gatewayTo({ upstream: server.baseUrl, around: entry, limits: { images: 3 } })
      const ends = []
      for (const prompt of ["a sea otter", "fail", "cut"]) {
        const response = yield* call(baseUrl, { body: { prompt } })
        yield* Effect.exit(Effect.tryPromise(() => response.arrayBuffer()))
        yield* eventually(() => recorded.at(-1)?.startsWith("end") === true, "the outcome")
        ends.push(recorded.splice(0))
      }
      assert.strictEqual((yield* refusal(baseUrl)).status, 429)
      const before = [`wait generate ${ImageGenerateParams.defaultModel} 1`, "begin"]
      assert.deepStrictEqual(ends, [
        [...before, "end Completed"],
        [...before, "end Failed InternalServerError"],
        [...before, "end Failed DisconnectedError"]
      ])
      assert.deepStrictEqual(recorded, [])
    }).pipe(Effect.scoped)
  )

  it.live("get the outcome `Left` of a caller that left, and can refuse a request before it is sent", () =>
    Effect.gen(function* () {
      const { answer, open } = streaming()
      const server = yield* serve(answer)
      const { entry, recorded } = recorder()
      const baseUrl = yield* gatewayTo({ upstream: server.baseUrl, around: entry })
      const leaving = new AbortController()
      yield* call(baseUrl, { body: asStream, signal: leaving.signal })
      assert.strictEqual(open.length, 1)
      leaving.abort()
      yield* eventually(() => recorded.at(-1) === "end Left", "the entry gets the outcome Left")
      const spent = new GradientError.RateLimitError({ reached: "NotSent", retryAfter: Duration.seconds(9) })
      const closed = yield* gatewayTo({ upstream: server.baseUrl, around: { wait: () => Effect.fail(spent) } })
      const { headers, status } = yield* refusal(closed)
      assert.deepStrictEqual([status, headers.get("retry-after")], [429, "9"])
      assert.strictEqual(server.requests.length, 1)
    }).pipe(Effect.scoped)
  )

  it.live("a caller that stops reading holds the upstream request no longer than `deadline`", () =>
    Effect.gen(function* () {
      const large = partialImage(0, png(3_000_000))
      const server = yield* serve((_, response) => {
        response.setHeader("content-type", "text/event-stream")
        const write = () => void (!response.destroyed && response.write(large, () => setImmediate(write)))
        write()
      })
      const { entry, recorded } = recorder()
      const baseUrl = yield* gatewayTo({ upstream: server.baseUrl, around: entry, client: { deadline: "1 second" } })
      const response = yield* call(baseUrl, { body: asStream })
      assert.strictEqual(response.status, 200)
      yield* eventually(() => server.sockets.size === 0, "the upstream socket is closed")
      assert.match(recorded.at(-1) ?? "", /^end (Left|Failed)/)
      yield* Effect.promise(() => response.body?.cancel() ?? Promise.resolve())
    }).pipe(Effect.scoped)
  )
})
