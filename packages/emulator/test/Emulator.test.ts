import { GradientClient, Images } from "@effect-gradient/core"
import { Emulator } from "@effect-gradient/emulator"
import { assert, describe, it as test, layer } from "@effect/vitest"
import { Effect, Fiber, Layer, Stream } from "effect"
import { FetchHttpClient, HttpClient, HttpClientRequest } from "effect/http"
import { TestClock } from "effect/testing"
import { decode } from "fast-png"
import * as Net from "node:net"
import { bytesOf, describeImage, generate, post, refused, small } from "./support/wire.ts"

const imagesOf = (data: ReadonlyArray<{ readonly b64_json: string }>) => data.map((item) => bytesOf(item.b64_json))

const onlyImage = (body: object) => Effect.map(generate(body), ({ data }) => bytesOf(data[0]?.b64_json ?? ""))

layer(Emulator.layerHttpClient())("POST /v1/images/generations", (it) => {
  it.effect("gives a picture of the size and format that was asked for", () =>
    Effect.gen(function* () {
      for (const output_format of ["png", "webp", "jpeg"] as const) {
        const bytes = yield* onlyImage({ ...small, output_format })
        assert.strictEqual(describeImage(bytes), `${output_format === "jpeg" ? "jpg" : output_format} 96x64`)
      }
    })
  )

  it.effect("gives 1024x1024 where no size is asked for", () =>
    Effect.gen(function* () {
      const { data, size } = yield* generate({ prompt: "fog", quality: "low", output_format: "jpeg" })
      assert.strictEqual(size, "1024x1024")
      assert.strictEqual(describeImage(bytesOf(data[0]?.b64_json ?? "")), "jpg 1024x1024")
    })
  )

  it.effect("gives the same bytes for the same prompt, and others for another", () =>
    Effect.gen(function* () {
      const first = yield* onlyImage(small)
      assert.deepStrictEqual(yield* onlyImage(small), first)
      assert.notDeepEqual(yield* onlyImage({ ...small, prompt: "a city at night" }), first)
    })
  )

  it.effect("gives n pictures, each another, to models that can", () =>
    Effect.gen(function* () {
      const { data } = yield* generate({ ...small, model: "gpt-image-2", n: 3 })
      const distinct = new Set(data.map((item) => item.b64_json))
      assert.strictEqual(distinct.size, 3)
      assert.deepStrictEqual(imagesOf(data).map(describeImage), ["png 96x64", "png 96x64", "png 96x64"])
    })
  )

  it.effect("leaves a transparent background transparent", () =>
    Effect.gen(function* () {
      const alphaAtCorner = (bytes: Uint8Array) => decode(bytes).data[3]
      assert.strictEqual(alphaAtCorner(yield* onlyImage({ ...small, background: "transparent" })), 0)
      assert.strictEqual(alphaAtCorner(yield* onlyImage(small)), 255)
    })
  )

  it.effect("makes smaller files as compression asks for", () =>
    Effect.gen(function* () {
      const rough = yield* onlyImage({ ...small, output_format: "jpeg", output_compression: 10 })
      const fine = yield* onlyImage({ ...small, output_format: "jpeg", output_compression: 100 })
      assert.isBelow(rough.length, fine.length)
    })
  )

  it.effect("repeats the settings and counts tokens", () =>
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
      const dearer = yield* generate({ ...small, quality: "high" })
      assert.isAbove(dearer.usage.output_tokens, usage.output_tokens)
    })
  )

  it.effect("has a request id, a rate limit and the word emulated in its headers", () =>
    Effect.gen(function* () {
      const first = yield* post(small)
      const second = yield* post({ prompt: "" })
      for (const { headers } of [first, second]) {
        assert.match(headers["x-request-id"] ?? "", /^req_/)
        assert.strictEqual(headers["x-emulated"], "true")
        assert.strictEqual(headers["ratelimit-limit"], "250")
        assert.match(headers["ratelimit-reset"] ?? "", /^\d+$/)
      }
      assert.notStrictEqual(first.headers["x-request-id"], second.headers["x-request-id"])
      assert.strictEqual(
        Number(second.headers["ratelimit-remaining"]),
        Number(first.headers["ratelimit-remaining"]) - 1
      )
    })
  )

  it.effect("counts what is left of the rate limit anew each minute", () =>
    Effect.gen(function* () {
      const remaining = Effect.map(post({ prompt: "" }), ({ headers }) => headers["ratelimit-remaining"])
      yield* remaining
      assert.notStrictEqual(yield* remaining, "249")
      yield* TestClock.adjust("1 minute")
      assert.strictEqual(yield* remaining, "249")
    })
  )

  it.effect("ignores parameters that it does not know", () =>
    Effect.map(post({ ...small, style: "vivid", response_format: "b64_json" }), ({ status }) =>
      assert.strictEqual(status, 200)
    )
  )

  it.effect("takes any key and refuses none", () =>
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
    ["n", { prompt: "x", model: "gpt-image-2", n: 11 }],
    ["background", { prompt: "x", background: "blue" }],
    ["background", { prompt: "x", background: "transparent", output_format: "jpeg" }],
    ["moderation", { prompt: "x", moderation: "none" }],
    ["output_compression", { prompt: "x", output_format: "webp", output_compression: 101 }],
    ["output_compression", { prompt: "x", output_compression: 50 }],
    ["output_format", { prompt: "x", output_format: "gif" }],
    ["partial_images", { prompt: "x", partial_images: 2 }],
    ["partial_images", { prompt: "x", stream: true, partial_images: 0 }],
    ["partial_images", { prompt: "x", stream: true, partial_images: 4 }],
    ["quality", { prompt: "x", quality: "best" }],
    ["size", { prompt: "x", size: "1024" }],
    ["size", { prompt: "x", size: "32x1024" }],
    ["size", { prompt: "x", size: "4096x1024" }],
    ["stream", { prompt: "x", stream: "yes" }],
    ["user", { prompt: "x", user: "x".repeat(257) }]
  ] as const)("refuses %s in %o with 400, by its name", ([param, body]) =>
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

  it.effect("says what it has to whoever asks for something else", () =>
    Effect.gen(function* () {
      const response = yield* post(small, {}, "http://emulator.test/v1/chat/completions")
      assert.strictEqual(response.status, 404)
      assert.include(yield* response.text, "/v1/images/generations")
    })
  )
})

describe("layerHttpClient", () => {
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

  test.effect("answers after `latency` on the Clock", () =>
    Effect.gen(function* () {
      const answer = yield* Effect.forkChild(generate(small))
      yield* TestClock.adjust("89 seconds")
      assert.isUndefined(answer.pollUnsafe())
      yield* TestClock.adjust("1 second")
      assert.strictEqual((yield* Fiber.join(answer)).data.length, 1)
    }).pipe(Effect.provide(Emulator.layerHttpClient({ latency: "90 seconds" })))
  )

  test.effect("paints another picture with another seed", () =>
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
  test.live("listens on this machine alone, at a port that baseUrl tells", () =>
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

  test.live("ends with its scope, whoever is connected", () =>
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

  test.live("fails where the port is taken", () =>
    Effect.gen(function* () {
      const port = Number(new URL(yield* Emulator.baseUrl).port)
      const error = yield* Layer.build(Emulator.layerServer({ port })).pipe(Effect.scoped, Effect.flip)
      assert.strictEqual(error._tag, "ServeError")
    }).pipe(Effect.provide(Emulator.layerServer({ port: 0 })))
  )
})
