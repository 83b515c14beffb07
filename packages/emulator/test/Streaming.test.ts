import { GradientClient, Images } from "@effect-gradient/core"
import { Emulator } from "@effect-gradient/emulator"
import { assert, describe, it, layer } from "@effect/vitest"
import { Effect, Fiber, Layer, Schema, Stream, Tracer } from "effect"
import { FetchHttpClient } from "effect/http"
import { TestClock } from "effect/testing"
import { decode } from "fast-png"
import { bytesOf, describeImage, generate, post, small } from "./support/wire.ts"

const streamed = { ...small, stream: true, partial_images: 3 }

const Settings = {
  created_at: Schema.Int,
  size: Schema.Literal("96x64"),
  quality: Schema.Literal("low"),
  background: Schema.Literal("opaque"),
  output_format: Schema.Literal("png"),
  b64_json: Schema.String
}
const Event = Schema.fromJsonString(
  Schema.Union([
    Schema.Struct({
      type: Schema.Literal("image_generation.partial_image"),
      partial_image_index: Schema.Int,
      ...Settings
    }),
    Schema.Struct({
      type: Schema.Literal("image_generation.completed"),
      usage: Schema.Struct({ input_tokens: Schema.Int, output_tokens: Schema.Int, total_tokens: Schema.Int }),
      ...Settings
    })
  ])
)

const eventsOf = (text: string) =>
  Effect.forEach(
    text.split("\n\n").filter((part) => part !== "" && !part.startsWith(":")),
    (part) => {
      const [, name = "", data = ""] = /^event: (.*)\ndata: (.*)$/.exec(part) ?? []
      return Effect.map(Schema.decodeUnknownEffect(Event)(data), (event) => ({ name, event }))
    }
  )

const events = (body: object) =>
  Effect.gen(function* () {
    const response = yield* post(body)
    assert.strictEqual(response.headers["content-type"], "text/event-stream")
    return yield* eventsOf(yield* response.text)
  })

const difference = (a: Uint8Array, b: Uint8Array) => {
  const last = decode(b).data
  return Array.from(decode(a).data).reduce((sum, value, index) => sum + Math.abs(value - (last[index] ?? 0)), 0)
}

layer(Emulator.layerHttpClient())("a stream", (test) => {
  test.effect("has an event for each image, whose name and type agree, and ends with the usage", () =>
    Effect.gen(function* () {
      const sent = yield* events(streamed)
      assert.deepStrictEqual(
        sent.map(({ event, name }) => [
          name === event.type,
          "partial_image_index" in event && event.partial_image_index
        ]),
        [
          [true, 0],
          [true, 1],
          [true, 2],
          [true, false]
        ]
      )
      assert.deepStrictEqual(
        sent.map(({ event }) => describeImage(bytesOf(event.b64_json))),
        Array.from(sent, () => "png 96x64")
      )
    })
  )

  test.effect("comes closer to the final image with each event; `generate` gives the same final image", () =>
    Effect.gen(function* () {
      const images = (yield* events(streamed)).map(({ event }) => bytesOf(event.b64_json))
      const whole = bytesOf((yield* generate(small)).data[0]?.b64_json ?? "")
      assert.deepStrictEqual(images.at(-1), whole)
      const distances = images.map((image) => difference(image, whole))
      assert.deepStrictEqual(
        distances,
        distances.toSorted((a, b) => b - a)
      )
      assert.isAbove(distances.at(-2) ?? 0, 0)
    })
  )

  test.effect("completes each of n images", () =>
    Effect.map(events({ ...streamed, model: "openai-gpt-image-2", n: 2, partial_images: 1 }), (sent) =>
      assert.deepStrictEqual(
        sent.map(({ event }) => event.type.slice("image_generation.".length)),
        ["partial_image", "completed", "partial_image", "completed"]
      )
    )
  )

  test.effect("has as many partial images as requested", () =>
    Effect.gen(function* () {
      const [last] = (yield* events(streamed)).slice(-1)
      const { usage } = yield* generate(small)
      assert.isTrue(last !== undefined && "usage" in last.event && last.event.usage.output_tokens > usage.output_tokens)
    })
  )
})

describe("pace", () => {
  it.effect("is the time between images, with comments in long pauses", () =>
    Effect.gen(function* () {
      const seen: Array<string> = []
      const reading = yield* post({ ...streamed, partial_images: 1 }).pipe(
        Effect.flatMap(({ stream }) =>
          Stream.runForEach(Stream.decodeText(stream), (text) => Effect.sync(() => seen.push(text.slice(0, 12))))
        ),
        Effect.forkChild
      )
      // Painting takes real time, but pauses take time of the TestClock. So the clock is advanced until the stream has
      // ended.
      for (let seconds = 0; reading.pollUnsafe() === undefined; seconds++) {
        yield* TestClock.adjust("1 second")
        yield* Effect.promise(() => new Promise((resolve) => setImmediate(resolve)))
        const comments = Array.from({ length: Math.floor((seconds + 1) / 10) }, () => ": keep-alive")
        if (seconds < 24) assert.deepStrictEqual(seen, comments)
      }
      yield* Fiber.join(reading)
      assert.deepStrictEqual(
        seen.filter((text) => !text.startsWith(":")),
        ["event: image", "event: image"]
      )
      assert.strictEqual(seen.length, 2 * (2 + 1))
    }).pipe(Effect.provide(Emulator.layerHttpClient({ pace: "25 seconds" })))
  )
})

describe("a client that leaves", () => {
  it.live("stops the painting", () =>
    Effect.gen(function* () {
      let painted = 0
      const ended = Promise.withResolvers<void>()
      const tracer = Tracer.make({
        span: (options) => {
          if (options.name === "Emulator.draw") painted++
          const span = new Tracer.NativeSpan(options)
          const end = span.end.bind(span)
          span.end = (...args) => {
            if (options.kind === "server") ended.resolve()
            end(...args)
          }
          return span
        }
      })
      yield* Effect.gen(function* () {
        const images = Images.layer.pipe(
          Layer.provide(
            GradientClient.layer({ baseUrl: yield* Emulator.baseUrl, headers: { authorization: "Bearer any" } })
          ),
          Layer.provide(FetchHttpClient.layer)
        )
        const first = yield* Images.generateStream({
          ...small,
          model: "stable-diffusion-3.5-large",
          partialImages: 10_000
        }).pipe(Stream.take(1), Stream.runCollect, Effect.provide(images))
        assert.strictEqual(first[0]?._tag, "PartialImage")
        yield* Effect.promise(() => ended.promise)
        assert.isBelow(painted, 10_000)
      }).pipe(
        Effect.provide(Emulator.layerServer({ port: 0 }).pipe(Layer.provide(Layer.succeed(Tracer.Tracer, tracer))))
      )
    })
  )
})
