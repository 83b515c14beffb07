import { GradientClient, ImageGenerateParams, Images } from "@effect-gradient/core"
import { Emulator, Ledger } from "@effect-gradient/emulator"
import { assert, describe, it as test, layer } from "@effect/vitest"
import { Effect, Fiber, Layer, Schema, Stream } from "effect"
import { FetchHttpClient, HttpClient, HttpClientRequest } from "effect/http"
import { TestClock } from "effect/testing"
import { decode } from "fast-png"
import * as Net from "node:net"
import { bytesOf, describeImage, generate, post, refused, small } from "./support/wire.ts"

const imagesOf = (data: ReadonlyArray<{ readonly b64_json: string }>) => data.map((item) => bytesOf(item.b64_json))

const onlyImage = (body: object) => Effect.map(generate(body), ({ data }) => bytesOf(data[0]?.b64_json ?? ""))

layer(Emulator.layerHttpClient({ faults: ["status=500 x1", "status=429 x1"], models: ["a"] }))(
  "a fault with a number of times",
  (it) => {
    const statusOf = (body: unknown, headers?: Readonly<Record<string, string>>) =>
      Effect.map(post(body, headers), ({ status }) => status)
    it.effect("is not used up by a request that is refused for another reason", () =>
      Effect.gen(function* () {
        assert.strictEqual(yield* statusOf(small, {}), 401)
        assert.strictEqual(yield* statusOf({ ...small, n: 11 }), 400)
        assert.strictEqual(yield* statusOf("{"), 400)
        assert.strictEqual(yield* statusOf({ ...small, model: "b" }), 404)
        assert.strictEqual(yield* statusOf(small), 500)
        // The fault status=429 acts before the key is checked.
        assert.strictEqual(yield* statusOf(small, {}), 429)
        assert.strictEqual(yield* statusOf(small), 200)
      })
    )
  }
)

layer(Emulator.layerHttpClient({ faults: ["status=500 x2"] }))("a fault with a number of times, at once", (it) => {
  it.effect("affects as many requests", () =>
    Effect.gen(function* () {
      const replies = yield* Effect.all(
        Array.from({ length: 5 }, () => post(small)),
        { concurrency: "unbounded" }
      )
      assert.sameMembers(
        replies.map(({ status }) => status),
        [200, 200, 200, 500, 500]
      )
    })
  )
})

layer(Emulator.layerHttpClient())("POST /v1/images/generations", (it) => {
  it.effect("gives an image of the requested size and format", () =>
    Effect.gen(function* () {
      for (const output_format of ["png", "webp", "jpeg", "gif"] as const) {
        const bytes = yield* onlyImage({ ...small, output_format })
        assert.strictEqual(describeImage(bytes), `${output_format === "jpeg" ? "jpg" : output_format} 96x64`)
      }
    })
  )

  it.effect("gives 1024x1024 if the request has no size", () =>
    Effect.gen(function* () {
      const { data, size } = yield* generate({ prompt: "fog", quality: "low", output_format: "jpeg" })
      assert.strictEqual(size, "1024x1024")
      assert.strictEqual(describeImage(bytesOf(data[0]?.b64_json ?? "")), "jpg 1024x1024")
    })
  )

  it.effect("gives the same bytes for the same prompt, and other bytes for another prompt", () =>
    Effect.gen(function* () {
      const first = yield* onlyImage(small)
      assert.deepStrictEqual(yield* onlyImage(small), first)
      assert.notDeepEqual(yield* onlyImage({ ...small, prompt: "a city at night" }), first)
    })
  )

  it.effect("gives n different images, for any model", () =>
    Effect.gen(function* () {
      const { data } = yield* generate({ ...small, model: "openai-gpt-image-1.5", n: 3 })
      const distinct = new Set(data.map((item) => item.b64_json))
      assert.strictEqual(distinct.size, 3)
      assert.deepStrictEqual(imagesOf(data).map(describeImage), ["png 96x64", "png 96x64", "png 96x64"])
    })
  )

  it.effect("keeps a transparent background", () =>
    Effect.gen(function* () {
      const alphaAtCorner = (bytes: Uint8Array) => decode(bytes).data[3]
      assert.strictEqual(alphaAtCorner(yield* onlyImage({ ...small, background: "transparent" })), 0)
      assert.strictEqual(alphaAtCorner(yield* onlyImage(small)), 255)
    })
  )

  it.effect("makes smaller files with stronger compression", () =>
    Effect.gen(function* () {
      const rough = yield* onlyImage({ ...small, output_format: "jpeg", output_compression: 10 })
      const fine = yield* onlyImage({ ...small, output_format: "jpeg", output_compression: 100 })
      assert.isBelow(rough.length, fine.length)
    })
  )

  it.effect("repeats the settings, and has a usage", () =>
    Effect.gen(function* () {
      const { background, output_format, quality, usage } = yield* generate({ ...small, output_format: "webp" })
      assert.deepStrictEqual(
        { background, output_format, quality },
        {
          background: "opaque",
          output_format: "webp",
          quality: "low"
        }
      )
      assert.isAbove(usage.input_tokens, 0)
      assert.strictEqual(usage.total_tokens, usage.input_tokens + usage.output_tokens)
      const dearer = yield* Effect.forEach(["medium", "high", "xhigh", "max"], (better) =>
        Effect.map(generate({ ...small, quality: better }), (reply) => reply.usage.output_tokens)
      )
      const all = [usage.output_tokens, ...dearer]
      assert.deepStrictEqual(
        all,
        [...new Set(all)].toSorted((a, b) => a - b)
      )
    })
  )

  it.effect("has a request id and x-emulated in its headers", () =>
    Effect.gen(function* () {
      const first = yield* post(small)
      const second = yield* post({ prompt: "" })
      for (const { headers } of [first, second]) {
        assert.match(headers["x-request-id"] ?? "", /^req_/)
        assert.strictEqual(headers["x-emulated"], "true")
      }
      assert.notStrictEqual(first.headers["x-request-id"], second.headers["x-request-id"])
    })
  )

  it.effect("ignores unknown params", () =>
    Effect.map(post({ ...small, style: "vivid", safety_identifier: "user-1", complexity: "high" }), ({ status }) =>
      assert.strictEqual(status, 200)
    )
  )

  it.effect("accepts any key, and refuses a request without one with 401", () =>
    Effect.gen(function* () {
      assert.strictEqual((yield* refused(small, {})).status, 401)
      assert.strictEqual((yield* refused(small, { authorization: "Bearer " })).status, 401)
      assert.strictEqual((yield* post(small, { authorization: "Bearer sk-do-x" })).status, 200)
    })
  )

  it.effect.each([
    ["prompt", {}],
    ["prompt", { prompt: "" }],
    ["prompt", { prompt: "x".repeat(32_001) }],
    ["prompt", { prompt: 7 }],
    ["model", { prompt: "x", model: 7 }],
    ["n", { prompt: "x", n: 0 }],
    ["n", { prompt: "x", n: "two" }],
    ["n", { prompt: "x", model: "openai-gpt-image-2", n: 11 }],
    ["background", { prompt: "x", background: "blue" }],
    ["background", { prompt: "x", background: "transparent", output_format: "jpeg" }],
    ["moderation", { prompt: "x", moderation: "none" }],
    ["output_compression", { prompt: "x", output_format: "webp", output_compression: 101 }],
    ["output_compression", { prompt: "x", output_compression: 50 }],
    ["output_format", { prompt: "x", output_format: "svg" }],
    ["partial_images", { prompt: "x", partial_images: 2 }],
    ["partial_images", { prompt: "x", stream: true, partial_images: 0 }],
    ["partial_images", { prompt: "x", stream: true, partial_images: 4 }],
    ["quality", { prompt: "x", quality: "best" }],
    ["size", { prompt: "x", size: "1024" }],
    ["size", { prompt: "x", size: "32x1024" }],
    ["size", { prompt: "x", size: "4096x1024" }],
    ["stream", { prompt: "x", stream: "yes" }],
    ["user", { prompt: "x", user: "x".repeat(257) }]
  ] as const)("names the param %s in the 400 for %o", ([param, body]) =>
    Effect.gen(function* () {
      const error = yield* refused(body)
      assert.deepInclude(error, { status: 400, param, type: "invalid_request_error" })
      assert.include(error.message, `'${param}'`)
      assert.notMatch(error.message, /outputFormat|outputCompression|partialImages/)
    })
  )

  it.effect("refuses a body that is not JSON with 400", () =>
    Effect.map(refused("prompt=x"), (error) => assert.deepInclude(error, { status: 400, param: null }))
  )

  it.effect("refuses a body that is too large with 413", () =>
    Effect.map(refused({ prompt: "x".repeat(1_100_000) }), ({ status }) => assert.strictEqual(status, 413))
  )

  it.effect("names its routes in the 404 for another path", () =>
    Effect.gen(function* () {
      const response = yield* post(small, {}, "http://emulator.test/v1/chat/completions")
      assert.strictEqual(response.status, 404)
      assert.include(yield* response.text, "/v1/images/generations")
    })
  )
})

const get = (path: string) =>
  HttpClient.get(`http://emulator.test${path}`, { headers: { authorization: "Bearer any" } })

const ModelList = Schema.Struct({
  object: Schema.Literal("list"),
  data: Schema.Array(
    Schema.Struct({
      id: Schema.String,
      object: Schema.Literal("model"),
      created: Schema.Int,
      owned_by: Schema.String
    })
  )
})

const listed = get("/v1/models").pipe(
  Effect.flatMap((response) => response.json),
  Effect.flatMap(Schema.decodeUnknownEffect(ModelList)),
  Effect.map(({ data }) => data.map(({ id }) => id))
)

/** Requests an image of this model, and returns the status, the body and the request id of the reply. */
const askFor = (model: string) =>
  Effect.flatMap(post({ ...small, model }), ({ headers, json, status }) =>
    Effect.map(json, (body) => ({ status, body, id: headers["x-request-id"] }))
  )

describe("models", () => {
  test.effect("are listed, and each can be used", () =>
    Effect.gen(function* () {
      const models = yield* listed
      assert.deepStrictEqual(models, Emulator.defaultModels)
      assert.strictEqual(models[0], ImageGenerateParams.defaultModel)
      assert.includeMembers([...models], ["openai-gpt-image-2", "openai-gpt-image-1.5", "stable-diffusion-3.5-large"])
      for (const model of models) assert.strictEqual((yield* askFor(model)).status, 200)
    }).pipe(Effect.provide(Emulator.layerHttpClient({ images: "plain" })))
  )

  test.effect("are listed only for a request with a key", () =>
    Effect.gen(function* () {
      const response = yield* HttpClient.get("http://emulator.test/v1/models")
      assert.strictEqual(response.status, 401)
    }).pipe(Effect.provide(Emulator.layerHttpClient()))
  )

  test.effect.each(["openai-gpt-image-1", "gpt-image-2", "dall-e-3"])(
    "unknown: %s is a 404 in the provider's form",
    (model) =>
      Effect.gen(function* () {
        const { body, id, status } = yield* askFor(model)
        assert.strictEqual(status, 404)
        assert.deepStrictEqual(body, { id: "not_found", message: "Model not found", request_id: id ?? "" })
        assert.deepStrictEqual((yield* (yield* Ledger.Ledger).account).entries, [])
      }).pipe(Effect.provide(Emulator.layerHttpClient()))
  )

  test.effect("are those of the option `models`; the first is the default", () =>
    Effect.gen(function* () {
      assert.deepStrictEqual(yield* listed, ["house-model", "other"])
      assert.strictEqual((yield* askFor("openai-gpt-image-2")).status, 404)
      yield* generate(small)
      const { entries } = yield* (yield* Ledger.Ledger).account
      assert.deepStrictEqual(
        entries.map(({ model }) => model),
        ["house-model"]
      )
    }).pipe(Effect.provide(Emulator.layerHttpClient({ models: ["house-model", "other"] })))
  )
})

describe("rate limit headers", () => {
  const kinds = ["requests", "tokens-per-minute", "tokens-per-day"]
  const rateLimit = (body: object) =>
    Effect.map(post(body), ({ headers }) =>
      kinds.map((kind) =>
        ["limit", "remaining", "reset"].map((what) => Number(headers[`x-ratelimit-${what}-${kind}`] ?? "missing"))
      )
    )
  const limits = [250, 1_000_000, 100_000_000]

  test.effect("count requests and tokens; the reset is 0 while some are left", () =>
    Effect.gen(function* () {
      const { usage } = yield* generate(small)
      const left = limits.map((limit, index) => [limit, limit - (index === 0 ? 2 : 2 * usage.total_tokens), 0])
      assert.deepStrictEqual(yield* rateLimit(small), left)
    }).pipe(Effect.provide(Emulator.layerHttpClient()))
  )

  test.effect("start again at each minute, and for the day's tokens at each day", () =>
    Effect.gen(function* () {
      const { usage } = yield* generate(small)
      yield* TestClock.adjust("1 minute")
      const nextMinute = yield* rateLimit({ prompt: "" })
      assert.deepStrictEqual(
        nextMinute.map(([, remaining]) => remaining),
        [249, 1_000_000, 100_000_000 - usage.total_tokens]
      )
      yield* TestClock.adjust("1 day")
      assert.deepStrictEqual(
        (yield* rateLimit({ prompt: "" })).map(([, remaining]) => remaining),
        [249, 1_000_000, 100_000_000]
      )
    }).pipe(Effect.provide(Emulator.layerHttpClient()))
  )

  test.effect("give the end of the minute in Unix seconds if no request is left", () =>
    Effect.gen(function* () {
      yield* TestClock.adjust("90 seconds")
      for (let sent = 0; sent < 249; sent++) yield* post({ prompt: "" })
      assert.deepStrictEqual((yield* rateLimit({ prompt: "" }))[0], [250, 0, 120])
    }).pipe(Effect.provide(Emulator.layerHttpClient()))
  )

  test.effect("have the reset that a fault sets", () =>
    Effect.gen(function* () {
      yield* TestClock.adjust("1 hour")
      assert.deepStrictEqual((yield* rateLimit(small))[0], [250, 0, 3630])
    }).pipe(Effect.provide(Emulator.layerHttpClient({ faults: ["status=429;reset=30s"] })))
  )
})

describe("plain images", () => {
  const plain = Emulator.layerHttpClient({ images: "plain" })

  test.effect("have the requested format and size, and one colour", () =>
    Effect.gen(function* () {
      for (const output_format of ["png", "webp", "jpeg", "gif"] as const) {
        const bytes = yield* onlyImage({ ...small, size: "1000x700", output_format })
        assert.strictEqual(describeImage(bytes), `${output_format === "jpeg" ? "jpg" : output_format} 1000x700`)
      }
      const { data } = decode(yield* onlyImage(small))
      const pixels = Array.from({ length: data.length / 4 }, (_, index) => data.slice(4 * index, 4 * index + 4).join())
      assert.strictEqual(new Set(pixels).size, 1)
    }).pipe(Effect.provide(plain))
  )

  test.effect("do not depend on the prompt, but on the index, the seed and the stage", () =>
    Effect.gen(function* () {
      const { data } = yield* generate({ ...small, n: 3 })
      assert.strictEqual(new Set(data.map((item) => item.b64_json)).size, 3)
      const first = bytesOf(data[0]?.b64_json ?? "")
      assert.deepStrictEqual(yield* onlyImage({ ...small, prompt: "a city" }), first)
      const seeded = Effect.provide(onlyImage(small), Emulator.layerHttpClient({ images: "plain", seed: 5 }))
      assert.notDeepEqual(yield* seeded, first)
      const text = yield* Effect.flatMap(post({ ...small, stream: true }), (response) => response.text)
      const images = [...text.matchAll(/"b64_json":"([^"]*)"/g)].map(([, image]) => image)
      assert.strictEqual(new Set(images).size, 2)
    }).pipe(Effect.provide(plain))
  )

  test.live("serve a load: 500 of 1024x1024 at once", () =>
    Effect.gen(function* () {
      const requests = Array.from({ length: 500 }, () => post({ prompt: "load" }))
      const replies = yield* Effect.all(requests, { concurrency: "unbounded" })
      assert.isTrue(replies.every(({ status }) => status === 200))
    }).pipe(Effect.provide(plain))
  )
})

describe("layerHttpClient", () => {
  test.effect("fails if a fault of its options cannot be decoded", () =>
    Effect.gen(function* () {
      const error = yield* Effect.flip(Effect.scoped(Layer.build(Emulator.layerHttpClient({ faults: ["stall-body"] }))))
      assert.strictEqual(error.reason._tag, "InvalidParamsError")
      assert.include(error.message, "stall-body needs a value: write stall-body=<duration>")
    })
  )

  test.effect("is a transport for Images, at any base URL", () =>
    Effect.gen(function* () {
      const { data, requestId } = yield* Images.generate({ prompt: "a red flower", size: "96x64", quality: "low" })
      assert.strictEqual(describeImage(data[0].bytes), "png 96x64")
      assert.match(requestId ?? "", /^req_/)
    }).pipe(
      Effect.provide(
        Images.layer.pipe(
          Layer.provide(GradientClient.layer({ headers: { authorization: "Bearer any" } })),
          Layer.provide(Emulator.layerHttpClient())
        )
      )
    )
  )

  test.effect("replies after `latency`, on Effect's Clock", () =>
    Effect.gen(function* () {
      const answer = yield* Effect.forkChild(generate(small))
      yield* TestClock.adjust("89 seconds")
      assert.isUndefined(answer.pollUnsafe())
      yield* TestClock.adjust("1 second")
      assert.strictEqual((yield* Fiber.join(answer)).data.length, 1)
    }).pipe(Effect.provide(Emulator.layerHttpClient({ latency: "90 seconds" })))
  )

  test.effect("paints another image with another seed", () =>
    Effect.gen(function* () {
      const [first, second] = yield* Effect.forEach([1, 2], (seed) =>
        Effect.provide(onlyImage(small), Emulator.layerHttpClient({ seed }))
      )
      assert.notDeepEqual(first, second)
    })
  )
})

const onPort = Layer.merge(Emulator.layerServer({ port: 0 }), FetchHttpClient.layer)

describe("layerServer", () => {
  test.live("listens on this machine only, at the port of baseUrl", () =>
    Effect.gen(function* () {
      const baseUrl = yield* Emulator.baseUrl
      assert.match(baseUrl, /^http:\/\/127\.0\.0\.1:\d+\/v1$/)
      const response = yield* post(small, { authorization: "Bearer any" }, `${baseUrl}/images/generations`)
      assert.strictEqual(response.status, 200)
    }).pipe(Effect.provide(onPort))
  )

  test.live("refuses a body that is too large with 413, chunked or not", () =>
    Effect.gen(function* () {
      const request = HttpClientRequest.post(`${yield* Emulator.baseUrl}/images/generations`, {
        headers: { authorization: "Bearer any" }
      })
      const large = new Uint8Array(1_100_000).fill(32)
      const whole = yield* HttpClient.execute(HttpClientRequest.bodyUint8Array(request, large))
      const chunked = yield* HttpClient.execute(HttpClientRequest.bodyStream(request, Stream.make(large)))
      assert.deepStrictEqual([whole.status, chunked.status], [413, 413])
    }).pipe(Effect.provide(onPort))
  )

  test.live("closes with its scope, even with a client connected", () =>
    Effect.gen(function* () {
      const idle = yield* Effect.gen(function* () {
        const port = Number(new URL(yield* Emulator.baseUrl).port)
        const socket = Net.connect(port, "127.0.0.1")
        yield* Effect.promise(() => new Promise((resolve) => socket.once("connect", resolve)))
        return socket
      }).pipe(Effect.provide(Emulator.layerServer({ port: 0 })))
      yield* Effect.promise(
        () => new Promise((resolve) => (idle.closed ? resolve(0) : idle.once("close", resolve).resume()))
      )
    })
  )

  test.live("fails if the port is in use", () =>
    Effect.gen(function* () {
      const port = Number(new URL(yield* Emulator.baseUrl).port)
      const error = yield* Layer.build(Emulator.layerServer({ port })).pipe(Effect.scoped, Effect.flip)
      assert.strictEqual(error._tag, "ServeError")
    }).pipe(Effect.provide(Emulator.layerServer({ port: 0 })))
  )
})
