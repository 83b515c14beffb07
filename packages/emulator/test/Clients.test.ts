import { createOpenAI } from "@ai-sdk/openai"
import { Gradient } from "@digitalocean/gradient"
import { Emulator } from "@effect-gradient/emulator"
import { assert, layer } from "@effect/vitest"
import { generateImage } from "ai"
import { Effect } from "effect"
import OpenAI, { BadRequestError } from "openai"
import { bytesOf, describeImage, small } from "./support/wire.ts"

const openai = Effect.map(Emulator.baseUrl, (baseURL) => new OpenAI({ baseURL, apiKey: "any", maxRetries: 0 }))
const gradient = Effect.map(
  Emulator.baseUrl,
  (baseURL) => new Gradient({ baseURL, modelAccessKey: "any", accessToken: null, maxRetries: 0 })
)

layer(Emulator.layerServer({ port: 0 }))("clients that nobody here wrote", (it) => {
  it.effect("openai gets a picture", () =>
    Effect.gen(function* () {
      const client = yield* openai
      const { data, usage } = yield* Effect.promise(() =>
        client.images.generate({ prompt: small.prompt, model: "gpt-image-1", quality: "low", size: "1024x1024" })
      )
      assert.strictEqual(describeImage(bytesOf(data?.[0]?.b64_json ?? "")), "png 1024x1024")
      assert.isAbove(usage?.total_tokens ?? 0, 0)
    })
  )

  it.effect("openai understands a refusal", () =>
    Effect.gen(function* () {
      const client = yield* openai
      const error = yield* Effect.flip(
        Effect.tryPromise({
          try: () => client.images.generate({ prompt: "x", n: 3 }),
          catch: (cause) => cause
        })
      )
      assert.instanceOf(error, BadRequestError)
      assert.deepInclude(error, { status: 400, param: "n", type: "invalid_request_error" })
      assert.match(error.requestID ?? "", /^req_/)
    })
  )

  it.effect("@digitalocean/gradient gets a picture", () =>
    Effect.gen(function* () {
      const client = yield* gradient
      const { data, usage } = yield* Effect.promise(() => client.images.generate({ ...small, output_format: "webp" }))
      assert.strictEqual(describeImage(bytesOf(data[0]?.b64_json ?? "")), "webp 96x64")
      assert.isAbove(usage?.total_tokens ?? 0, 0)
    })
  )

  it.effect("ai with @ai-sdk/openai gets a picture", () =>
    Effect.gen(function* () {
      const provider = createOpenAI({ baseURL: yield* Emulator.baseUrl, apiKey: "any" })
      const { image } = yield* Effect.promise(() =>
        generateImage({
          model: provider.image("gpt-image-1"),
          prompt: small.prompt,
          size: "256x192",
          maxRetries: 0,
          providerOptions: { openai: { quality: "low" } }
        })
      )
      assert.strictEqual(describeImage(image.uint8Array), "png 256x192")
      assert.strictEqual(image.mediaType, "image/png")
    })
  )
})
