import { createOpenAI } from "@ai-sdk/openai"
import { Client } from "@digitalocean/dots/inference"
import { Gradient } from "@digitalocean/gradient"
import { Emulator } from "@effect-gradient/emulator"
import { assert, layer } from "@effect/vitest"
import { generateImage } from "ai"
import { Cause, Effect, Stream } from "effect"
import OpenAI, { BadRequestError, NotFoundError } from "openai"
import { bytesOf, describeImage, small } from "./support/wire.ts"

const openai = Effect.map(Emulator.baseUrl, (baseURL) => new OpenAI({ baseURL, apiKey: "any", maxRetries: 0 }))
const gradient = Effect.map(
  Emulator.baseUrl,
  (baseURL) => new Gradient({ baseURL, modelAccessKey: "any", accessToken: null, maxRetries: 0 })
)

const dots = Effect.map(Emulator.baseUrl, (baseURL) => new Client({ apiKey: "any", baseURL }))

/** Collects all items of an async iterable that a client returns, such as a stream of events. */
const received = <A>(open: () => PromiseLike<AsyncIterable<A>>) =>
  Effect.promise(open).pipe(
    Effect.flatMap((events) =>
      Stream.runCollect(Stream.fromAsyncIterable(events, (cause) => new Cause.UnknownError(cause)))
    ),
    Effect.orDie
  )

layer(Emulator.layerServer({ port: 0 }))("other clients", (it) => {
  it.effect("openai gets an image", () =>
    Effect.gen(function* () {
      const client = yield* openai
      const { data, usage } = yield* Effect.promise(() =>
        client.images.generate({ prompt: small.prompt, model: "openai-gpt-image-2", quality: "low", size: "256x256" })
      )
      assert.strictEqual(describeImage(bytesOf(data?.[0]?.b64_json ?? "")), "png 256x256")
      assert.isAbove(usage?.total_tokens ?? 0, 0)
    })
  )

  it.effect("openai reports an error with its status and param", () =>
    Effect.gen(function* () {
      const client = yield* openai
      const error = yield* Effect.flip(
        Effect.tryPromise({
          try: () => client.images.generate({ prompt: "x", n: 11 }),
          catch: (cause) => cause
        })
      )
      assert.instanceOf(error, BadRequestError)
      assert.deepInclude(error, { status: 400, param: "n", type: "invalid_request_error" })
      assert.match(error.requestID ?? "", /^req_/)
    })
  )

  it.effect("openai streams an image", () =>
    Effect.gen(function* () {
      const client = yield* openai
      const events = yield* received(() =>
        client.images.generate({
          model: "openai-gpt-image-2",
          prompt: small.prompt,
          quality: "low",
          size: "256x256",
          output_format: "jpeg",
          partial_images: 2,
          stream: true
        })
      )
      assert.deepStrictEqual(
        events.map((event) => event.type),
        ["image_generation.partial_image", "image_generation.partial_image", "image_generation.completed"]
      )
      assert.deepStrictEqual(
        new Set(events.map((event) => describeImage(bytesOf(event.b64_json)))),
        new Set(["jpg 256x256"])
      )
    })
  )

  it.effect("@digitalocean/gradient streams an image", () =>
    Effect.gen(function* () {
      const client = yield* gradient
      const events = yield* received(() => client.images.generate({ ...small, partial_images: 2, stream: true }))
      assert.deepStrictEqual(
        events.map((event) => (event.type === "image_generation.completed" ? "last" : event.partial_image_index)),
        [0, 1, "last"]
      )
      assert.deepStrictEqual(
        new Set(events.map((event) => describeImage(bytesOf(event.b64_json)))),
        new Set(["png 96x64"])
      )
    })
  )

  it.effect("@digitalocean/gradient gets an image", () =>
    Effect.gen(function* () {
      const client = yield* gradient
      const { data, usage } = yield* Effect.promise(() => client.images.generate({ ...small, output_format: "webp" }))
      assert.strictEqual(describeImage(bytesOf(data[0]?.b64_json ?? "")), "webp 96x64")
      assert.isAbove(usage?.total_tokens ?? 0, 0)
    })
  )

  it.effect("@digitalocean/dots streams an image", () =>
    Effect.gen(function* () {
      const client = yield* dots
      const params = { ...small, model: "openai-gpt-image-2", stream: true, partial_images: 2 } as const
      const events = yield* received(() => client.images.generate(params))
      assert.deepStrictEqual(
        events.map((event) => event.type),
        ["image_generation.partial_image", "image_generation.partial_image", "image_generation.completed"]
      )
      assert.deepStrictEqual(
        new Set(events.map((event) => describeImage(bytesOf(event.b64_json ?? "")))),
        new Set(["png 96x64"])
      )
    })
  )

  it.effect("@digitalocean/dots gets two images from a model of the list", () =>
    Effect.gen(function* () {
      const client = yield* dots
      const models = yield* Effect.promise(() => client.models.list())
      const { data } = yield* Effect.promise(() =>
        client.images.generate({ ...small, model: models.data[0]?.id ?? "", n: 2 })
      )
      assert.deepStrictEqual(
        data.map((image) => describeImage(bytesOf(image.b64_json ?? ""))),
        ["png 96x64", "png 96x64"]
      )
    })
  )

  it.effect("@digitalocean/dots shows the message of an error", () =>
    Effect.gen(function* () {
      const client = yield* dots
      const error = yield* Effect.flip(
        Effect.tryPromise(() => client.images.generate({ ...small, model: "openai-gpt-image-1" }))
      )
      assert.match(String(error.cause), /404.*Model not found/)
    })
  )

  it.effect("openai lists the models", () =>
    Effect.gen(function* () {
      const client = yield* openai
      const models = yield* received(() => Promise.resolve(client.models.list()))
      assert.include(
        models.map(({ id }) => id),
        "openai-gpt-image-2"
      )
    })
  )

  it.effect("openai reports that a model does not exist", () =>
    Effect.gen(function* () {
      const client = yield* openai
      const error = yield* Effect.flip(
        Effect.tryPromise({
          try: () => client.images.generate({ prompt: "x", model: "gpt-image-1" }),
          catch: (cause) => cause
        })
      )
      assert.instanceOf(error, NotFoundError)
      assert.include(error.message, "Model not found")
    })
  )

  it.effect("ai with @ai-sdk/openai gets an image", () =>
    Effect.gen(function* () {
      const provider = createOpenAI({ baseURL: yield* Emulator.baseUrl, apiKey: "any" })
      const { image } = yield* Effect.promise(() =>
        generateImage({
          model: provider.image("openai-gpt-image-2"),
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
