import { assert, describe, it } from "@effect/vitest"
import { ImageGenerateParams } from "@effect-gradient/core"
import { Effect, Fiber } from "effect"
import { TestClock } from "effect/testing"
import OpenAI from "openai"
import {
  alice,
  answerImages,
  asStream,
  call,
  gatewayTo,
  image,
  reader,
  refusal,
  streaming,
  textOf
} from "./support/gateway.ts"
import { durableOn, inMemory } from "./support/durable.ts"
import { completed, eventually, partialImage, png, responseBody, serve } from "../../node/test/support/server.ts"

describe("replies", () => {
  it.live("JSON is passed through byte by byte, with its length", () =>
    Effect.gen(function* () {
      const body = `  ${responseBody(image)}\n`
      const server = yield* serve((_, response) => {
        response.setHeader("content-length", Buffer.byteLength(body))
        response.end(body)
      })
      const response = yield* call(yield* gatewayTo({ upstream: server.baseUrl }))
      assert.strictEqual(response.headers.get("content-type"), "application/json")
      assert.strictEqual(response.headers.get("content-length"), String(body.length))
      assert.strictEqual(response.headers.get("cache-control"), "no-store")
      assert.strictEqual(yield* textOf(response), body)
    }).pipe(Effect.scoped)
  )

  it.live("a stream is passed through byte by byte", () =>
    Effect.gen(function* () {
      const body = `: hello\r\n\r\n${partialImage(0, image)}event: new\ndata: {"x":\ndata: 1}\n\n${completed(image)}data: [DONE]`
      const server = yield* serve((_, response) => {
        response.setHeader("content-type", "text/event-stream; charset=utf-8")
        response.end(body)
      })
      const response = yield* call(yield* gatewayTo({ upstream: server.baseUrl }), { body: asStream })
      assert.strictEqual(response.headers.get("content-type"), "text/event-stream")
      assert.strictEqual(response.headers.get("cache-control"), "no-store")
      assert.strictEqual(response.headers.get("x-accel-buffering"), "no")
      assert.strictEqual(yield* textOf(response), body)
    }).pipe(Effect.scoped)
  )

  it.live("JSON in reply to a stream request is passed on as JSON", () =>
    Effect.gen(function* () {
      const server = yield* serve(answerImages)
      const response = yield* call(yield* gatewayTo({ upstream: server.baseUrl }), { body: asStream })
      assert.strictEqual(response.headers.get("content-type"), "application/json")
      assert.strictEqual(yield* textOf(response), responseBody(image))
    }).pipe(Effect.scoped)
  )

  it.live("no header of the upstream is passed on", () =>
    Effect.gen(function* () {
      const secret = { server: "upstream", "set-cookie": "a=b", "x-request-id": "upstream", "ratelimit-limit": "250" }
      const server = yield* serve((request, response) => {
        for (const [name, value] of Object.entries(secret)) response.setHeader(name, value)
        answerImages(request, response)
      })
      const { headers } = yield* call(yield* gatewayTo({ upstream: server.baseUrl }))
      for (const [name, value] of Object.entries(secret)) assert.notStrictEqual(headers.get(name), value)
    }).pipe(Effect.scoped)
  )

  it.live("a slow reader slows the upstream down", () =>
    Effect.gen(function* () {
      const large = partialImage(0, png(3_000_000))
      let written = 0
      const server = yield* serve((_, response) => {
        response.setHeader("content-type", "text/event-stream")
        const write = () => {
          while (written < 40 && !response.destroyed) {
            written++
            if (!response.write(large)) return response.once("drain", write)
          }
          return response
        }
        write()
      })
      const response = yield* call(yield* gatewayTo({ upstream: server.baseUrl }), { body: asStream })
      const read = reader(response)
      yield* read("\n\n")
      // The service writes until the buffers are full, and then stops before it has written all 40 images.
      let before = 0
      while (before < written) {
        before = written
        yield* Effect.sleep("300 millis")
      }
      assert.isBelow(written, 20)
      yield* read("\n\n")
    }).pipe(Effect.scoped)
  )
})

describe("durable attempts", () => {
  it.live("reply with JSON and with events in the wire format", () =>
    Effect.gen(function* () {
      const server = yield* serve((_, response, body) => {
        const isStream = body.includes('"stream":true')
        response.setHeader("content-type", isStream ? "text/event-stream" : "application/json")
        response.end(isStream ? partialImage(0, image) + completed(image) : responseBody(image))
      })
      const baseUrl = yield* gatewayTo({ upstream: server.baseUrl, attempts: durableOn(yield* inMemory) })
      const openai = new OpenAI({ apiKey: alice, baseURL: baseUrl })
      const params = { prompt: "A sea otter", model: ImageGenerateParams.defaultModel }
      const response = yield* Effect.promise(() => openai.images.generate(params))
      assert.strictEqual(response.data?.[0]?.b64_json, image.toString("base64"))
      assert.strictEqual(response.created, 1_700_000_000)
      const events = yield* Effect.promise(async () => {
        const arrived: Array<OpenAI.ImageGenStreamEvent> = []
        const stream = await openai.images.generate({ ...params, stream: true, partial_images: 1 })
        for await (const event of stream) arrived.push(event)
        return arrived
      })
      assert.deepStrictEqual(
        events.map(({ b64_json, type }) => [type, b64_json === image.toString("base64")]),
        [
          ["image_generation.partial_image", true],
          ["image_generation.completed", true]
        ]
      )
    }).pipe(Effect.scoped)
  )
})

describe("a slow image", () => {
  it.live("the headers of a stream are sent when the upstream's headers arrive, before any byte", () =>
    Effect.gen(function* () {
      const { answer, open } = streaming()
      const server = yield* serve(answer)
      const response = yield* call(yield* gatewayTo({ upstream: server.baseUrl }), { body: asStream })
      assert.strictEqual(response.status, 200)
      assert.strictEqual(open.length, 1)
    }).pipe(Effect.scoped)
  )

  it.effect("or after 15 seconds; then a comment every 15 seconds, and the images when they arrive", () =>
    Effect.gen(function* () {
      let answerNow = () => {}
      const server = yield* serve((_, response) => {
        answerNow = () => {
          response.writeHead(200, { "content-type": "text/event-stream" })
          response.end(completed(image))
        }
      })
      const baseUrl = yield* gatewayTo({ upstream: server.baseUrl })
      const heads: Array<Response> = []
      const coming = yield* Effect.forkChild(
        Effect.tap(call(baseUrl, { body: asStream }), (response) => Effect.sync(() => heads.push(response)))
      )
      yield* eventually(() => server.requests.length === 1, "the request is at the upstream")
      yield* TestClock.adjust("14999 millis")
      assert.strictEqual(heads.length, 0)
      yield* TestClock.adjust("1 millis")
      yield* eventually(() => heads.length === 1, "the headers come")
      const [head] = heads
      assert.isTrue(head?.ok)
      const read = reader(head ?? new Response())
      for (let i = 0; i < 3; i++) {
        const comment = yield* Effect.forkChild(read("\n"))
        yield* TestClock.adjust("15 seconds")
        assert.strictEqual(yield* Fiber.join(comment), ": keep-alive\n")
      }
      answerNow()
      assert.strictEqual(yield* read("\n\n"), completed(image))
      yield* Fiber.join(coming)
    }).pipe(Effect.scoped)
  )

  it.live("a comment is never within a line", () =>
    Effect.gen(function* () {
      const { answer, open } = streaming()
      const server = yield* serve(answer)
      const baseUrl = yield* gatewayTo({ upstream: server.baseUrl, keepAlive: "20 millis" })
      const read = reader(yield* call(baseUrl, { body: asStream }))
      assert.strictEqual(yield* read("\n"), ": keep-alive\n")
      open[0]?.write("data: half of ")
      assert.include(yield* read("half of "), "data: half of ")
      yield* Effect.sleep("100 millis")
      open[0]?.write("a line\r")
      yield* Effect.sleep("100 millis")
      open[0]?.write("\n")
      assert.strictEqual(yield* read("\n"), "a line\r\n")
      assert.strictEqual(yield* read("\n"), ": keep-alive\n")
    }).pipe(Effect.scoped)
  )

  it.live("a JSON reply can take any time", () =>
    Effect.gen(function* () {
      const server = yield* serve((request, response) => setTimeout(() => answerImages(request, response), 200))
      const baseUrl = yield* gatewayTo({ upstream: server.baseUrl, keepAlive: "20 millis" })
      assert.strictEqual(yield* textOf(yield* call(baseUrl)), responseBody(image))
    }).pipe(Effect.scoped)
  )

  it.live("no reply within `timeout` is a 504, and a stream silent for `idleTimeout` ends with an error event", () =>
    Effect.gen(function* () {
      const { answer } = streaming()
      const silent = yield* serve(() => undefined)
      const stuck = yield* serve(answer)
      const { headers, status } = yield* refusal(
        yield* gatewayTo({ upstream: silent.baseUrl, client: { timeout: "50 millis" } })
      )
      assert.deepStrictEqual([status, headers.get("x-should-retry")], [504, "false"])
      yield* eventually(() => silent.sockets.size === 0, "the upstream request ends")
      const stream = yield* call(yield* gatewayTo({ upstream: stuck.baseUrl, client: { idleTimeout: "50 millis" } }), {
        body: asStream
      })
      assert.match(yield* textOf(stream), /^event: error\ndata: \{"error":.*\}\n\n$/)
      yield* eventually(() => stuck.sockets.size === 0, "the upstream stream ends")
    }).pipe(Effect.scoped)
  )
})

describe("a caller that leaves", () => {
  for (const [when, body] of [
    ["before JSON comes", { prompt: "x" }],
    ["before a stream's headers", asStream]
  ] as const) {
    it.live(`${when} interrupts the upstream request`, () =>
      Effect.gen(function* () {
        const server = yield* serve(() => undefined)
        const baseUrl = yield* gatewayTo({ upstream: server.baseUrl })
        const leaving = new AbortController()
        const calling = yield* Effect.forkChild(Effect.exit(call(baseUrl, { body, signal: leaving.signal })))
        yield* eventually(() => server.requests.length === 1, "the request is at the upstream")
        assert.strictEqual(server.sockets.size, 1)
        leaving.abort()
        yield* eventually(() => server.sockets.size === 0, "the upstream socket is closed")
        yield* Fiber.await(calling)
      }).pipe(Effect.scoped)
    )
  }

  it.live("within a stream interrupts the upstream request, in a silence and between chunks", () =>
    Effect.gen(function* () {
      const { answer, open } = streaming()
      const server = yield* serve(answer)
      const baseUrl = yield* gatewayTo({ upstream: server.baseUrl })
      for (const picture of [image, png(20_000_000)]) {
        const leaving = new AbortController()
        const response = yield* call(baseUrl, { body: asStream, signal: leaving.signal })
        open.at(-1)?.write(partialImage(0, picture))
        yield* reader(response)("b64_json")
        assert.strictEqual(server.sockets.size, 1)
        leaving.abort()
        yield* eventually(() => server.sockets.size === 0, "the upstream socket is closed")
      }
    }).pipe(Effect.scoped)
  )
})
