import { assert, describe, it } from "@effect/vitest"
import { Images } from "@effect-gradient/core"
import { Emulator } from "@effect-gradient/emulator"
import { ImagesApi } from "@effect-gradient/gateway"
import { NodeImages } from "@effect-gradient/node"
import { Effect, Layer, Redacted, Stream } from "effect"
import { OpenApi } from "effect/http-api"
import { randomUUID } from "node:crypto"
import OpenAI from "openai"
import { alice, answerImages, asStream, call, gatewayTo, realKey, refusal, textOf } from "./support/gateway.ts"
import { serve } from "../../node/test/support/server.ts"

describe("clients through the gateway", () => {
  const withEmulator = Effect.gen(function* () {
    const emulator = yield* Layer.build(Emulator.layerServer({ port: 0 }))
    const upstream = yield* Emulator.baseUrl.pipe(Effect.provide(emulator))
    return yield* gatewayTo({ upstream })
  })

  it.live("this library gets a response, a stream, and the reason of an error", () =>
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

  it.live("openai gets a response, a stream, and an error", () =>
    Effect.gen(function* () {
      const baseURL = yield* withEmulator
      const openai = new OpenAI({ apiKey: alice, baseURL })
      const params = { prompt: "A sea otter", model: "openai-gpt-image-2" }
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

describe("the upstream gets", () => {
  it.live("the real key and the params, and nothing else from the caller", () =>
    Effect.gen(function* () {
      const server = yield* serve(answerImages)
      const baseUrl = yield* gatewayTo({ upstream: server.baseUrl, rules: { models: ["dall-e-3"], n: 2 } })
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

  it.live("the required params that a caller may omit", () =>
    Effect.gen(function* () {
      const server = yield* serve((_, response) => response.end())
      const baseUrl = yield* gatewayTo({ upstream: server.baseUrl })
      yield* call(baseUrl)
      yield* call(baseUrl, { body: asStream })
      assert.deepStrictEqual(
        server.requests.map(({ body }): unknown => JSON.parse(body)),
        [
          { model: "openai-gpt-image-2", n: 1, prompt: "A sea otter" },
          { model: "openai-gpt-image-2", n: 1, prompt: "A sea otter", partial_images: 1, stream: true }
        ]
      )
    }).pipe(Effect.scoped)
  )

  it.live("no refused request", () =>
    Effect.gen(function* () {
      const server = yield* serve(answerImages)
      const baseUrl = yield* gatewayTo({ upstream: server.baseUrl, limits: { bodySize: "10 kB" } })
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

describe("the API definition", () => {
  const get = (url: string) => Effect.promise(() => fetch(url))

  it.live("is served as OpenAPI and as a reference page, under the path", () =>
    Effect.gen(function* () {
      const server = yield* serve(answerImages)
      const v1 = yield* gatewayTo({ upstream: server.baseUrl, path: "/images-for/me" })
      const root = new URL("/images-for/me", v1).href
      assert.strictEqual((yield* call(root)).status, 200)
      const document: unknown = JSON.parse(yield* textOf(yield* get(`${root}/openapi.json`)))
      assert.deepStrictEqual(
        document,
        JSON.parse(JSON.stringify(OpenApi.fromApi(ImagesApi.ImagesApi.prefix("/images-for/me"))))
      )
      const page = yield* get(`${root}/docs`)
      assert.match(page.headers.get("content-type") ?? "", /^text\/html/)
      assert.include(yield* textOf(page), "/images-for/me/images/generations")
    }).pipe(Effect.scoped)
  )

  it("has the wire names, both kinds of reply, the attempt id, the key and each error", () => {
    const operation = OpenApi.fromApi(ImagesApi.ImagesApi).paths["/images/generations"]?.post
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
    for (const status of [400, 401, 403, 409, 410, 413, 415, 422, 429, 502, 503, 504]) {
      assert.property(operation?.responses, String(status))
    }
  })
})
