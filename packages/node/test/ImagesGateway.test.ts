import { assert, describe, it } from "@effect/vitest"
import { Images, RetryPolicy } from "@effect-gradient/core"
import { Emulator } from "@effect-gradient/emulator"
import { ImagesGateway, NodeImages } from "@effect-gradient/node"
import { Effect, Fiber, Layer, Redacted, Schema, Stream } from "effect"
import { Headers } from "effect/http"
import { OpenApi } from "effect/http-api"
import { TestClock } from "effect/testing"
import { randomUUID } from "node:crypto"
import type * as http from "node:http"
import OpenAI from "openai"
import { alice, bob, call, type Call, gatewayTo, reader, realKey } from "./support/gateway.ts"
import { completed, eventually, partialImage, png, responseBody, serve } from "./support/server.ts"

const image = png(200_000)

const ErrorBody = Schema.Struct({
  error: Schema.Struct({
    message: Schema.String,
    type: Schema.String,
    param: Schema.NullOr(Schema.String),
    code: Schema.NullOr(Schema.String)
  })
})
const decodeError = Schema.decodeUnknownEffect(Schema.fromJsonString(ErrorBody), { onExcessProperty: "error" })

const textOf = (response: Response) => Effect.promise(() => response.text())

/** The status of a call and its error, which is in the API's form and in no other. */
const refusal = (baseUrl: string, options?: Call) =>
  Effect.gen(function* () {
    const response = yield* call(baseUrl, options)
    assert.strictEqual(response.headers.get("content-type"), "application/json")
    assert.match(response.headers.get("x-request-id") ?? "", /^[0-9a-f-]{36}$/)
    const { error } = yield* decodeError(yield* textOf(response))
    return { status: response.status, headers: response.headers, ...error }
  })

const answerImages = (_: http.IncomingMessage, response: http.ServerResponse) => {
  response.setHeader("content-type", "application/json")
  response.end(responseBody(image))
}

/** Answers with the head of a stream, and hands the response over for what follows. */
const streaming = () => {
  const open: Array<http.ServerResponse> = []
  const answer = (_: http.IncomingMessage, response: http.ServerResponse) => {
    response.writeHead(200, { "content-type": "text/event-stream" })
    response.flushHeaders()
    open.push(response)
  }
  return { open, answer }
}

const asStream = { prompt: "A sea otter", stream: true }

describe("clients through the gateway", () => {
  const withEmulator = Effect.gen(function* () {
    const emulator = yield* Layer.build(Emulator.layerServer({ port: 0 }))
    const behind = yield* Emulator.baseUrl.pipe(Effect.provide(emulator))
    return yield* gatewayTo({ behind })
  })

  it.live("this library: a response, a stream, and a refusal as its reason", () =>
    Effect.gen(function* () {
      const baseUrl = yield* withEmulator
      const layer = NodeImages.layer({ baseUrl, modelAccessKey: Redacted.make(alice) })
      const { response, events } = yield* Effect.all({
        response: Images.generate({ prompt: "A sea otter" }),
        events: Stream.runCollect(Images.generateStream({ prompt: "A sea otter", partialImages: 2 }))
      }).pipe(Effect.provide(layer))
      assert.strictEqual(response.data[0].mediaType, "image/png")
      assert.isDefined(response.requestId)
      assert.strictEqual(response.rateLimit?.limit, 10)
      assert.deepStrictEqual(
        events.map(({ _tag }) => _tag),
        ["PartialImage", "PartialImage", "Completed"]
      )
      assert.deepStrictEqual(events.at(-1)?.bytes, response.data[0].bytes)
      const error = yield* Images.generate({ prompt: "A sea otter", size: "64x64" }).pipe(
        Effect.flip,
        Effect.provide(layer)
      )
      assert.strictEqual(error.reason._tag, "BadRequestError")
      assert.strictEqual(error.reason.param, "size")
      assert.isFalse(error.mayHaveBeenCharged)
    }).pipe(Effect.scoped)
  )

  it.live("openai: a response, a stream, and a refusal as its error", () =>
    Effect.gen(function* () {
      const baseURL = yield* withEmulator
      const openai = new OpenAI({ apiKey: alice, baseURL })
      const params = { prompt: "A sea otter", model: "openai-gpt-image-1" }
      const response = yield* Effect.promise(() => openai.images.generate(params))
      const last = yield* Effect.promise(async () => {
        const stream = await openai.images.generate({ ...params, stream: true, partial_images: 1 })
        const events: Array<OpenAI.ImageGenStreamEvent> = []
        for await (const event of stream) events.push(event)
        assert.deepStrictEqual(
          events.map(({ type }) => type),
          ["image_generation.partial_image", "image_generation.completed"]
        )
        return events.at(-1)
      })
      assert.strictEqual(last?.b64_json, response.data?.[0]?.b64_json)
      const error = yield* Effect.promise(() =>
        new OpenAI({ apiKey: "wrong", baseURL }).images.generate(params).then(
          () => undefined,
          (failure: unknown) => failure
        )
      )
      assert.isTrue(error instanceof OpenAI.AuthenticationError && error.code === "invalid_api_key")
    }).pipe(Effect.scoped)
  )
})

describe("what goes behind", () => {
  it.live("the real key and the params, and nothing else of the caller's", () =>
    Effect.gen(function* () {
      const server = yield* serve(answerImages)
      const baseUrl = yield* gatewayTo({ behind: server.baseUrl, rules: { models: ["dall-e-3"], n: 2 } })
      const headers = { cookie: "session=1", "x-custom": "1", "idempotency-key": "1", "x-attempt-id": randomUUID() }
      const params = { model: "dall-e-3", prompt: "A sea otter", n: 2, output_format: "webp", user: null }
      assert.strictEqual((yield* call(baseUrl, { headers, body: params })).status, 200)
      const [request] = server.requests
      assert.strictEqual(request?.headers.authorization, `Bearer ${realKey}`)
      for (const name of Object.keys(headers)) assert.notProperty(request?.headers, name)
      assert.deepStrictEqual(JSON.parse(request?.body ?? ""), {
        model: "dall-e-3",
        prompt: "A sea otter",
        n: 2,
        output_format: "webp"
      })
    }).pipe(Effect.scoped)
  )

  it.live("what the API requires and callers may leave out", () =>
    Effect.gen(function* () {
      const server = yield* serve((_, response) => response.end())
      const baseUrl = yield* gatewayTo({ behind: server.baseUrl })
      yield* call(baseUrl)
      yield* call(baseUrl, { body: asStream })
      assert.deepStrictEqual(
        server.requests.map(({ body }): unknown => JSON.parse(body)),
        [
          { model: "openai-gpt-image-1", n: 1, prompt: "A sea otter" },
          { model: "openai-gpt-image-1", n: 1, prompt: "A sea otter", partial_images: 1, stream: true }
        ]
      )
    }).pipe(Effect.scoped)
  )

  it.live("nothing that is refused", () =>
    Effect.gen(function* () {
      const server = yield* serve(answerImages)
      const baseUrl = yield* gatewayTo({ behind: server.baseUrl, limits: { bodySize: "10 kB" } })
      const large = { prompt: "x".repeat(10_000) }
      for (const options of [
        { key: "" },
        { key: "wrong" },
        { headers: { origin: "https://evil.example" } },
        { headers: { "x-attempt-id": "1" } },
        { headers: { "content-type": "text/plain" } },
        { body: "{" },
        { body: large },
        { body: new Blob([JSON.stringify(large)]).stream() },
        { body: { prompt: "x", n: 2 } }
      ]) {
        assert.isAtLeast((yield* refusal(baseUrl, options)).status, 400)
      }
      assert.strictEqual(server.requests.length, 0)
    }).pipe(Effect.scoped)
  )
})

describe("who may call", () => {
  it.live("no credentials, wrong ones, and those of another scheme are 401", () =>
    Effect.gen(function* () {
      const baseUrl = yield* gatewayTo({ behind: "http://127.0.0.1:1" })
      const basic = { authorization: `Basic ${alice}` }
      for (const options of [{ key: "" }, { key: "wrong" }, { key: `${alice}x` }, { key: "", headers: basic }]) {
        const { code, headers, status, type } = yield* refusal(baseUrl, options)
        assert.deepStrictEqual([status, type, code], [401, "authentication_error", "invalid_api_key"])
        assert.strictEqual(headers.get("www-authenticate"), "Bearer")
      }
    }).pipe(Effect.scoped)
  )

  it.effect("each key is a caller of its own, and its id does not hold it", () =>
    Effect.gen(function* () {
      const { identify } = yield* ImagesGateway.Callers
      const idOf = (key: string) =>
        Effect.map(identify(Headers.fromInput({ authorization: `Bearer ${key}` })), ({ id }) => id)
      assert.notStrictEqual(yield* idOf(alice), yield* idOf(bob))
      assert.notInclude(yield* idOf(alice), alice.slice(0, 4))
      assert.strictEqual((yield* Effect.flip(idOf("wrong")))._tag, "Unauthorized")
    }).pipe(Effect.provide(ImagesGateway.callersFromKeys([Redacted.make(alice), Redacted.make(bob)])))
  )
})

describe("which origins", () => {
  const app = "https://app.example"

  it.live("a foreign origin is 403, and a page of it may read nothing", () =>
    Effect.gen(function* () {
      const baseUrl = yield* gatewayTo({ behind: "http://127.0.0.1:1", origins: [app] })
      for (const origin of ["https://evil.example", "http://app.example", "null"]) {
        const { code, headers, status } = yield* refusal(baseUrl, { headers: { origin } })
        assert.deepStrictEqual([status, code], [403, "origin_not_allowed"])
        assert.isNull(headers.get("access-control-allow-origin"))
      }
    }).pipe(Effect.scoped)
  )

  it.live("without cors every origin is foreign but the gateway's own", () =>
    Effect.gen(function* () {
      const server = yield* serve(answerImages)
      const baseUrl = yield* gatewayTo({ behind: server.baseUrl })
      assert.strictEqual((yield* refusal(baseUrl, { headers: { origin: app } })).status, 403)
      const own = { origin: new URL(baseUrl).origin, "sec-fetch-site": "same-origin" }
      assert.strictEqual((yield* call(baseUrl, { headers: own })).status, 200)
    }).pipe(Effect.scoped)
  )

  it.live("an allowed origin may read replies and refusals, and the headers that clients go by", () =>
    Effect.gen(function* () {
      const server = yield* serve(answerImages)
      const baseUrl = yield* gatewayTo({ behind: server.baseUrl, origins: [app, "https://other.example"] })
      const replies = [
        yield* call(baseUrl, { headers: { origin: app } }),
        yield* call(baseUrl, { headers: { origin: app }, key: "wrong" })
      ]
      for (const { headers } of replies) {
        assert.strictEqual(headers.get("access-control-allow-origin"), app)
        assert.include(headers.get("vary"), "Origin")
        for (const name of ["retry-after", "x-should-retry", "x-request-id", "ratelimit-remaining"]) {
          assert.include(headers.get("access-control-expose-headers"), name)
        }
      }
    }).pipe(Effect.scoped)
  )

  it.live("a preflight lets the allowed origin send the attempt id, and no other origin anything", () =>
    Effect.gen(function* () {
      const baseUrl = yield* gatewayTo({ behind: "http://127.0.0.1:1", origins: [app] })
      const preflight = (origin: string) =>
        Effect.promise(() =>
          fetch(`${baseUrl}/images/generations`, {
            method: "OPTIONS",
            headers: {
              origin,
              "access-control-request-method": "POST",
              "access-control-request-headers": "authorization,content-type,x-attempt-id"
            }
          })
        )
      const allowed = yield* preflight(app)
      assert.strictEqual(allowed.status, 204)
      assert.strictEqual(allowed.headers.get("access-control-allow-origin"), app)
      assert.strictEqual(allowed.headers.get("access-control-allow-methods"), "POST")
      assert.include(allowed.headers.get("access-control-allow-headers"), "x-attempt-id")
      assert.isNull((yield* preflight("https://evil.example")).headers.get("access-control-allow-origin"))
    }).pipe(Effect.scoped)
  )
})

describe("what may be asked", () => {
  const invalid = Effect.fnUntraced(function* (body: unknown, rules?: Partial<ImagesGateway.Rules>) {
    const baseUrl = yield* gatewayTo({ behind: "http://127.0.0.1:1", ...(rules === undefined ? {} : { rules }) })
    const { code, message, param, status, type } = yield* refusal(baseUrl, { body })
    assert.deepStrictEqual([status, type, code], [400, "invalid_request_error", "invalid_value"])
    return { message, param }
  }, Effect.scoped)

  it.live.each<readonly [param: string, params: object]>([
    ["model", { model: "dall-e-3" }],
    ["size", { size: "4096x4096" }],
    ["n", { model: "openai-gpt-image-1", n: 2 }],
    ["prompt", { prompt: "x".repeat(4001) }],
    ["prompt", { prompt: "" }],
    ["prompt", { prompt: null }],
    ["partial_images", { partial_images: 1 }],
    ["partial_images", { partial_images: 4, stream: true }],
    ["output_compression", { output_compression: 101 }],
    ["style", { style: "vivid" }],
    ["stream", { stream: "yes" }]
  ])("by default, %s of %o is refused by its name", ([param, params]) =>
    Effect.gen(function* () {
      const told = yield* invalid({ prompt: "A sea otter", ...params })
      assert.strictEqual(told.param, param)
      assert.include(told.message, `'${param}'`)
    })
  )

  it.live("everything that is wrong is told at once", () =>
    Effect.gen(function* () {
      const { message } = yield* invalid({ prompt: "x", model: "sdxl", size: "1x1", n: 2, output_compression: 101 })
      for (const param of ["model", "size", "'n'", "output_compression"]) assert.include(message, param)
    })
  )

  it.live("rules of your own take the place of the defaults", () =>
    Effect.gen(function* () {
      const rules = { models: ["sdxl"], sizes: ["512x512"], n: 4, promptLength: 5 }
      const server = yield* serve(answerImages)
      const baseUrl = yield* gatewayTo({ behind: server.baseUrl, rules })
      const body = { prompt: "🦦🦦🦦🦦🦦", model: "sdxl", size: "512x512", n: 4 }
      assert.strictEqual((yield* call(baseUrl, { body })).status, 200)
      assert.strictEqual((yield* invalid({ ...body, prompt: "otters" }, rules)).param, "prompt")
      assert.strictEqual((yield* invalid({ ...body, size: undefined }, rules)).param, "size")
      assert.strictEqual((yield* invalid({ ...body, model: undefined, n: 1 }, rules)).param, "model")
      assert.strictEqual((yield* invalid({ ...body, n: 5 }, rules)).param, "n")
    }).pipe(Effect.scoped)
  )

  it.live("a body that is not JSON is 400, and one of another type 415", () =>
    Effect.gen(function* () {
      const baseUrl = yield* gatewayTo({ behind: "http://127.0.0.1:1" })
      for (const body of ["", "{", "[]", "null"]) assert.strictEqual((yield* refusal(baseUrl, { body })).status, 400)
      const headers = { "content-type": "text/plain" }
      assert.strictEqual((yield* refusal(baseUrl, { headers })).status, 415)
    }).pipe(Effect.scoped)
  )
})

describe("how much may be asked", () => {
  it.live("images over the caller's limit are 429 with the time to wait; other callers are not concerned", () =>
    Effect.gen(function* () {
      const server = yield* serve(answerImages)
      const baseUrl = yield* gatewayTo({
        behind: server.baseUrl,
        rules: { models: ["sdxl"], n: 2 },
        limits: { images: 3, window: "1 hour" }
      })
      const body = { prompt: "x", model: "sdxl", n: 2 }
      const first = yield* call(baseUrl, { body })
      assert.strictEqual(first.headers.get("ratelimit-limit"), "3")
      assert.strictEqual(first.headers.get("ratelimit-remaining"), "1")
      assert.isAbove(Number(first.headers.get("ratelimit-reset")), Date.now() / 1000)
      const { code, headers, status } = yield* refusal(baseUrl, { body })
      assert.deepStrictEqual([status, code], [429, "rate_limit_exceeded"])
      assert.isAbove(Number(headers.get("retry-after")), 0)
      assert.strictEqual((yield* call(baseUrl, { body, key: bob })).status, 200)
      assert.strictEqual(server.requests.length, 2)
    }).pipe(Effect.scoped)
  )

  it.live("a body over the limit is 413, with a length and without", () =>
    Effect.gen(function* () {
      const server = yield* serve(answerImages)
      const baseUrl = yield* gatewayTo({ behind: server.baseUrl, limits: { bodySize: 200 } })
      const body = { prompt: "x".repeat(200) }
      for (const large of [body, new Blob([JSON.stringify(body)]).stream()]) {
        const { message, status } = yield* refusal(baseUrl, { body: large })
        assert.strictEqual(status, 413)
        assert.include(message, "200 bytes")
      }
      assert.strictEqual((yield* call(baseUrl)).status, 200)
    }).pipe(Effect.scoped)
  )
})

describe("replies", () => {
  it.live("JSON is passed through byte by byte, with its length", () =>
    Effect.gen(function* () {
      const body = `  ${responseBody(image)}\n`
      const server = yield* serve((_, response) => {
        response.setHeader("content-length", Buffer.byteLength(body))
        response.end(body)
      })
      const response = yield* call(yield* gatewayTo({ behind: server.baseUrl }))
      assert.strictEqual(response.headers.get("content-type"), "application/json")
      assert.strictEqual(response.headers.get("content-length"), String(body.length))
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
      const response = yield* call(yield* gatewayTo({ behind: server.baseUrl }), { body: asStream })
      assert.strictEqual(response.headers.get("content-type"), "text/event-stream")
      assert.strictEqual(yield* textOf(response), body)
    }).pipe(Effect.scoped)
  )

  it.live("JSON that answers a stream goes out as JSON", () =>
    Effect.gen(function* () {
      const server = yield* serve(answerImages)
      const response = yield* call(yield* gatewayTo({ behind: server.baseUrl }), { body: asStream })
      assert.strictEqual(response.headers.get("content-type"), "application/json")
      assert.strictEqual(yield* textOf(response), responseBody(image))
    }).pipe(Effect.scoped)
  )

  it.live("of what is behind, no header comes through", () =>
    Effect.gen(function* () {
      const secret = { server: "behind", "set-cookie": "a=b", "x-request-id": "behind", "ratelimit-limit": "250" }
      const server = yield* serve((request, response) => {
        for (const [name, value] of Object.entries(secret)) response.setHeader(name, value)
        answerImages(request, response)
      })
      const { headers } = yield* call(yield* gatewayTo({ behind: server.baseUrl }))
      for (const [name, value] of Object.entries(secret)) assert.notStrictEqual(headers.get(name), value)
    }).pipe(Effect.scoped)
  )

  it.live("a slow reader slows the service behind down", () =>
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
      const response = yield* call(yield* gatewayTo({ behind: server.baseUrl }), { body: asStream })
      const read = reader(response)
      yield* read("\n\n")
      // What fits into the buffers on the way is written; then it stands still although 40 are to come.
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

describe("the time that an image takes", () => {
  it.live("the headers of a stream go out when the service behind answers, before any byte", () =>
    Effect.gen(function* () {
      const { answer, open } = streaming()
      const server = yield* serve(answer)
      const response = yield* call(yield* gatewayTo({ behind: server.baseUrl }), { body: asStream })
      assert.strictEqual(response.status, 200)
      assert.strictEqual(open.length, 1)
    }).pipe(Effect.scoped)
  )

  it.effect("or after 15 seconds; then a comment every 15 seconds, and the pictures when they come", () =>
    Effect.gen(function* () {
      let answerNow = () => {}
      const server = yield* serve((_, response) => {
        answerNow = () => {
          response.writeHead(200, { "content-type": "text/event-stream" })
          response.end(completed(image))
        }
      })
      const baseUrl = yield* gatewayTo({ behind: server.baseUrl })
      const heads: Array<Response> = []
      const coming = yield* Effect.forkChild(
        Effect.tap(call(baseUrl, { body: asStream }), (response) => Effect.sync(() => heads.push(response)))
      )
      yield* eventually(() => server.requests.length === 1, "the request is behind")
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

  it.live("a comment never comes within a line", () =>
    Effect.gen(function* () {
      const { answer, open } = streaming()
      const server = yield* serve(answer)
      const baseUrl = yield* gatewayTo({ behind: server.baseUrl, gateway: { keepAlive: "20 millis" } })
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

  it.live("a JSON reply is waited for, however long", () =>
    Effect.gen(function* () {
      const server = yield* serve((request, response) => setTimeout(() => answerImages(request, response), 200))
      const baseUrl = yield* gatewayTo({ behind: server.baseUrl, gateway: { keepAlive: "20 millis" } })
      assert.strictEqual(yield* textOf(yield* call(baseUrl)), responseBody(image))
    }).pipe(Effect.scoped)
  )

  it.live("no answer in the client's timeout is 504, and a silent stream ends with an error event", () =>
    Effect.gen(function* () {
      const { answer } = streaming()
      const silent = yield* serve(() => undefined)
      const stuck = yield* serve(answer)
      const { headers, status } = yield* refusal(
        yield* gatewayTo({ behind: silent.baseUrl, client: { timeout: "50 millis" } })
      )
      assert.deepStrictEqual([status, headers.get("x-should-retry")], [504, "false"])
      yield* eventually(() => silent.sockets.size === 0, "the request behind ends")
      const stream = yield* call(yield* gatewayTo({ behind: stuck.baseUrl, client: { idleTimeout: "50 millis" } }), {
        body: asStream
      })
      assert.match(yield* textOf(stream), /^event: error\ndata: \{"error":.*\}\n\n$/)
      yield* eventually(() => stuck.sockets.size === 0, "the stream behind ends")
    }).pipe(Effect.scoped)
  )
})

describe("failures behind", () => {
  const details = { server: "nginx/1.27", location: "http://10.0.0.7/", "x-internal": realKey }

  /** What a caller sees of an answer behind: the error, with nothing of the details in its body or headers. */
  const failure = Effect.fnUntraced(function* (
    status: number,
    headers: Record<string, string>,
    body: string,
    request?: Call
  ) {
    const server = yield* serve((_, response) => {
      response.writeHead(status, { ...details, ...headers })
      response.end(body)
    })
    const response = yield* call(yield* gatewayTo({ behind: server.baseUrl }), request)
    const text = yield* textOf(response)
    const seen = text + JSON.stringify([...response.headers])
    for (const detail of [...Object.values(details), server.baseUrl, "secret"]) assert.notInclude(seen, detail)
    return { status: response.status, headers: response.headers, ...(yield* decodeError(text)).error }
  }, Effect.scoped)

  const error = (code: string | null, param: string | null = null) =>
    JSON.stringify({ error: { message: `secret ${realKey} at http://10.0.0.7`, type: "secret", param, code } })

  for (const body of [{ prompt: "A sea otter" }, asStream]) {
    it.live(`keep their status, ${"stream" in body ? "for a stream as well" : "for JSON"}`, () =>
      Effect.gen(function* () {
        const limited = yield* failure(429, { "retry-after": "7" }, error(null), { body })
        assert.deepStrictEqual([limited.status, limited.code], [429, "rate_limit_exceeded"])
        assert.strictEqual(limited.headers.get("retry-after"), "7")
        assert.isNull(limited.headers.get("x-should-retry"))
        for (const status of [400, 401, 402, 403, 404, 408, 409, 422, 500, 502, 503, 504]) {
          assert.strictEqual((yield* failure(status, {}, error("x"), { body })).status, status)
        }
        assert.strictEqual((yield* failure(418, {}, "<h1>secret</h1>", { body })).status, 400)
        assert.strictEqual((yield* failure(529, {}, "<h1>secret</h1>", { body })).status, 502)
        assert.strictEqual((yield* failure(307, {}, "", { body })).status, 502)
      })
    )
  }

  it.live("name the param and the code where these are plain names, and nothing else", () =>
    Effect.gen(function* () {
      const refused = yield* failure(400, {}, error("moderation_blocked", "prompt"))
      assert.deepStrictEqual([refused.code, refused.param], ["moderation_blocked", "prompt"])
      const odd = yield* failure(400, {}, error("secret http://10.0.0.7", realKey))
      assert.deepStrictEqual([odd.code, odd.param], [null, null])
    })
  )

  it.live("stand in the log, with the request's id and the caller's, and without the key", () =>
    Effect.gen(function* () {
      const lines: Array<string> = []
      const server = yield* serve((_, response) => {
        response.writeHead(500)
        response.end(error(null))
      })
      const baseUrl = yield* gatewayTo({ behind: server.baseUrl, log: (line) => lines.push(line) })
      const { headers } = yield* refusal(baseUrl)
      const line = lines.join("")
      assert.include(line, "at http://10.0.0.7")
      assert.include(line, `"requestId":"${headers.get("x-request-id")}"`)
      assert.match(line, /"caller":"[0-9a-f]{12}"/)
      assert.notInclude(line, realKey)
    }).pipe(Effect.scoped)
  )

  it.live("stand in the log once, also when they come late or within a reply", () =>
    Effect.gen(function* () {
      const { answer, open } = streaming()
      const lines: Array<string> = []
      const behind = (yield* serve(answer)).baseUrl
      const baseUrl = yield* gatewayTo({ behind, log: (line) => lines.push(line) })
      const response = yield* call(baseUrl, { body: asStream })
      open[0]?.socket?.resetAndDestroy()
      assert.include(yield* textOf(response), "event: error")
      assert.strictEqual(lines.length, 1)
      assert.include(lines[0], `"requestId":"${response.headers.get("x-request-id")}"`)
    }).pipe(Effect.scoped)
  )

  it.live("that may have been charged for are not asked again, by other clients either", () =>
    Effect.gen(function* () {
      assert.strictEqual((yield* failure(500, {}, "")).headers.get("x-should-retry"), "false")
      assert.isNull((yield* failure(503, { "retry-after": "1" }, "")).headers.get("x-should-retry"))
      const server = yield* serve((request) => request.socket.resetAndDestroy())
      const openai = new OpenAI({ apiKey: alice, baseURL: yield* gatewayTo({ behind: server.baseUrl }) })
      const thrown = yield* Effect.promise(() =>
        openai.images.generate({ prompt: "x" }).then(
          () => undefined,
          (cause: unknown) => cause
        )
      )
      assert.isTrue(thrown instanceof OpenAI.APIError && thrown.status === 502)
      assert.strictEqual(server.requests.length, 1)
    }).pipe(Effect.scoped)
  )

  it.live("before anything was sent are 503 with retry-after: not charged for, and asked again", () =>
    Effect.gen(function* () {
      const gone = yield* Effect.scoped(Effect.map(serve(answerImages), ({ baseUrl }) => baseUrl))
      const baseUrl = yield* gatewayTo({ behind: gone })
      const { headers, status } = yield* refusal(baseUrl)
      assert.deepStrictEqual([status, headers.get("retry-after")], [503, "1"])
      const seen = yield* Images.generate({ prompt: "x" }, { retry: RetryPolicy.none }).pipe(
        Effect.flip,
        Effect.provide(NodeImages.layer({ baseUrl, modelAccessKey: Redacted.make(alice) }))
      )
      assert.isTrue(seen.isRetryable)
      assert.isFalse(seen.mayHaveBeenCharged)
    }).pipe(Effect.scoped)
  )

  it.live("after the headers went out are an error event, by which the client knows the reason", () =>
    Effect.gen(function* () {
      let refuse = () => {}
      const server = yield* serve((_, response) => {
        refuse = () => {
          response.writeHead(429)
          response.end(error(null))
        }
      })
      const baseUrl = yield* gatewayTo({ behind: server.baseUrl, gateway: { keepAlive: "20 millis" } })
      const response = yield* call(baseUrl, { body: asStream })
      refuse()
      const [, json = ""] = /event: error\ndata: (.*)\n\n$/.exec(yield* textOf(response)) ?? []
      assert.strictEqual((yield* decodeError(json)).error.code, "rate_limit_exceeded")
      assert.notInclude(json, "secret")
    }).pipe(Effect.scoped)
  )

  it.live("JSON that comes for a stream after its headers went out is an error event", () =>
    Effect.gen(function* () {
      let answerNow = () => {}
      const server = yield* serve((request, response) => (answerNow = () => answerImages(request, response)))
      const baseUrl = yield* gatewayTo({ behind: server.baseUrl, gateway: { keepAlive: "20 millis" } })
      const response = yield* call(baseUrl, { body: asStream })
      answerNow()
      assert.match(yield* textOf(response), /event: error\ndata: \{"error":.*\}\n\n$/)
    }).pipe(Effect.scoped)
  )

  it.live("between two events are an error event", () =>
    Effect.gen(function* () {
      const { answer, open } = streaming()
      const server = yield* serve(answer)
      const read = reader(yield* call(yield* gatewayTo({ behind: server.baseUrl }), { body: asStream }))
      open[0]?.write(partialImage(0, image))
      assert.strictEqual(yield* read("\n\n"), partialImage(0, image))
      open[0]?.socket?.resetAndDestroy()
      assert.match(yield* read("\n\n"), /^event: error\ndata: \{"error":.*\}\n\n$/)
    }).pipe(Effect.scoped)
  )

  it.live("within an event cut the connection, so that half a picture cannot look whole", () =>
    Effect.gen(function* () {
      const { answer, open } = streaming()
      const server = yield* serve(answer)
      const response = yield* call(yield* gatewayTo({ behind: server.baseUrl }), { body: asStream })
      open[0]?.write(completed(image).slice(0, 1000))
      yield* eventually(() => open[0]?.writableLength === 0, "half of it is sent")
      open[0]?.socket?.resetAndDestroy()
      yield* Effect.flip(Effect.tryPromise(() => response.text()))
    }).pipe(Effect.scoped)
  )
})

describe("attempts", () => {
  it.live("a second request of one id is 409 and not sent, whether the first is at work or done", () =>
    Effect.gen(function* () {
      let answerNow = () => {}
      const server = yield* serve((request, response) => (answerNow = () => answerImages(request, response)))
      const baseUrl = yield* gatewayTo({ behind: server.baseUrl, limits: { images: 1 } })
      const headers = { "x-attempt-id": randomUUID() }
      const first = yield* Effect.forkChild(call(baseUrl, { headers }))
      yield* eventually(() => server.requests.length === 1, "the first is at work")
      const during = yield* refusal(baseUrl, { headers })
      answerNow()
      assert.strictEqual((yield* Fiber.join(first)).status, 200)
      for (const { code, headers: told, status } of [during, yield* refusal(baseUrl, { headers })]) {
        // Not 429, although the limit is reached: that would be asked again, under another id.
        assert.deepStrictEqual([status, code], [409, "duplicate_attempt"])
        assert.strictEqual(told.get("x-should-retry"), "false")
      }
      assert.strictEqual(server.requests.length, 1)
    }).pipe(Effect.scoped)
  )

  it.live("also when the first one's connection broke before its headers, as Chromium sends it again", () =>
    Effect.gen(function* () {
      const server = yield* serve(() => undefined)
      const baseUrl = yield* gatewayTo({ behind: server.baseUrl })
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

  it.live("to this library it may have been charged for, and is not asked again", () =>
    Effect.gen(function* () {
      const server = yield* serve(answerImages)
      const baseUrl = yield* gatewayTo({ behind: server.baseUrl })
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

  it.live("an id is free again when its request was refused before it was sent, and is no other caller's concern", () =>
    Effect.gen(function* () {
      const server = yield* serve(answerImages)
      const baseUrl = yield* gatewayTo({ behind: server.baseUrl })
      const headers = { "x-attempt-id": randomUUID() }
      assert.strictEqual((yield* refusal(baseUrl, { headers, body: { prompt: "" } })).status, 400)
      assert.strictEqual((yield* call(baseUrl, { headers })).status, 200)
      assert.strictEqual((yield* call(baseUrl, { headers, key: bob })).status, 200)
    }).pipe(Effect.scoped)
  )

  it.live("an id that is no UUID is refused", () =>
    Effect.gen(function* () {
      const baseUrl = yield* gatewayTo({ behind: "http://127.0.0.1:1" })
      const { param, status } = yield* refusal(baseUrl, { headers: { "x-attempt-id": "1" } })
      assert.deepStrictEqual([status, param], [400, "x-attempt-id"])
    }).pipe(Effect.scoped)
  )
})

describe("a caller who leaves", () => {
  for (const [when, body] of [
    ["before JSON comes", { prompt: "x" }],
    ["before a stream's headers", asStream]
  ] as const) {
    it.live(`${when} interrupts the request behind`, () =>
      Effect.gen(function* () {
        const server = yield* serve(() => undefined)
        const baseUrl = yield* gatewayTo({ behind: server.baseUrl })
        const leaving = new AbortController()
        const calling = yield* Effect.forkChild(Effect.exit(call(baseUrl, { body, signal: leaving.signal })))
        yield* eventually(() => server.requests.length === 1, "the request is behind")
        assert.strictEqual(server.sockets.size, 1)
        leaving.abort()
        yield* eventually(() => server.sockets.size === 0, "the socket behind is closed")
        yield* Fiber.await(calling)
      }).pipe(Effect.scoped)
    )
  }

  it.live("within a stream interrupts the request behind, in a silence and in full flow", () =>
    Effect.gen(function* () {
      const { answer, open } = streaming()
      const server = yield* serve(answer)
      const baseUrl = yield* gatewayTo({ behind: server.baseUrl })
      for (const picture of [image, png(20_000_000)]) {
        const leaving = new AbortController()
        const response = yield* call(baseUrl, { body: asStream, signal: leaving.signal })
        open.at(-1)?.write(partialImage(0, picture))
        yield* reader(response)("b64_json")
        assert.strictEqual(server.sockets.size, 1)
        leaving.abort()
        yield* eventually(() => server.sockets.size === 0, "the socket behind is closed")
      }
    }).pipe(Effect.scoped)
  )
})

describe("the definition", () => {
  const get = (url: string) => Effect.promise(() => fetch(url))

  it.live("is served as OpenAPI and as a page, under the path", () =>
    Effect.gen(function* () {
      const server = yield* serve(answerImages)
      const v1 = yield* gatewayTo({ behind: server.baseUrl, gateway: { path: "/images-for/me" } })
      const root = new URL("/images-for/me", v1).href
      assert.strictEqual((yield* call(root)).status, 200)
      const document: unknown = JSON.parse(yield* textOf(yield* get(`${root}/openapi.json`)))
      assert.deepStrictEqual(
        document,
        JSON.parse(JSON.stringify(OpenApi.fromApi(ImagesGateway.Api.prefix("/images-for/me"))))
      )
      const page = yield* get(`${root}/docs`)
      assert.match(page.headers.get("content-type") ?? "", /^text\/html/)
      assert.include(yield* textOf(page), "/images-for/me/images/generations")
    }).pipe(Effect.scoped)
  )

  it("has the wire's names, both kinds of reply, the attempt id, the key and each refusal", () => {
    const operation = OpenApi.fromApi(ImagesGateway.Api).paths["/images/generations"]?.post
    const payload = JSON.stringify(operation?.requestBody)
    for (const name of ["prompt", "output_format", "partial_images", "stream"]) assert.include(payload, `"${name}"`)
    assert.deepStrictEqual(Object.keys(operation?.responses[200]?.content ?? {}), [
      "application/json",
      "text/event-stream"
    ])
    assert.deepStrictEqual(
      operation?.parameters.map(({ name }) => name),
      ["x-attempt-id"]
    )
    assert.deepStrictEqual(operation?.security, [{ bearer: [] }])
    for (const status of [400, 401, 403, 409, 413, 415, 422, 429, 502, 503, 504]) {
      assert.property(operation?.responses, String(status))
    }
  })
})
