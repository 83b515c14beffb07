import { assert, describe, it } from "@effect/vitest"
import { GradientError, ImageGenStreamEvent, Images } from "@effect-gradient/core"
import { TestImages, TestTransport } from "@effect-gradient/core/testing"
import { Cause, Effect, Exit, Stream } from "effect"
import sharp from "sharp"

const params = { prompt: "A sea otter" }

describe("the images", () => {
  it.effect.each([
    ["png", TestImages.png],
    ["webp", TestImages.webp],
    ["jpeg", TestImages.jpeg]
  ] as const)("%s is valid, small and of one colour", ([format, bytes]) =>
    Effect.gen(function* () {
      assert.isBelow(bytes.length, 150)
      const image = sharp(bytes, { failOn: "warning" })
      const metadata = yield* Effect.promise(() => image.metadata())
      assert.deepStrictEqual([metadata.format, metadata.width, metadata.height], [format, 8, 8])
      const stats = yield* Effect.promise(() => image.stats())
      assert.isTrue(stats.channels.every(({ max, mean, min }) => min === max && mean > 0))
    })
  )
})

describe("TestImages.makeResponse and makeEvents", () => {
  it("are made from bytes", () => {
    const response = TestImages.makeResponse(TestImages.png, TestImages.webp)
    assert.deepStrictEqual(
      response.data.map(({ mediaType }) => mediaType),
      ["image/png", "image/webp"]
    )
    assert.deepStrictEqual(TestImages.makeEvents(TestImages.webp, TestImages.jpeg, TestImages.png), [
      new ImageGenStreamEvent.PartialImage({ bytes: TestImages.webp, partialImageIndex: 0 }),
      new ImageGenStreamEvent.PartialImage({ bytes: TestImages.jpeg, partialImageIndex: 1 }),
      new ImageGenStreamEvent.Completed({ bytes: TestImages.png })
    ])
  })
})

describe("TestImages.layer", () => {
  it.effect("calls the functions", () =>
    Effect.gen(function* () {
      const error = yield* Effect.flip(Images.generate(params))
      assert.strictEqual(error.reason._tag, "ContentPolicyError")
      const events = yield* Stream.runCollect(Images.generateStream(params))
      assert.deepStrictEqual(events, [new ImageGenStreamEvent.Completed({ bytes: TestImages.png })])
    }).pipe(
      Effect.provide(
        TestImages.layer({
          generate: () => Effect.fail(GradientError.fromReason(new GradientError.ContentPolicyError({}))),
          generateStream: () => Stream.make(new ImageGenStreamEvent.Completed({ bytes: TestImages.png }))
        })
      )
    )
  )

  it.effect("dies when a function is called that was left out", () =>
    Effect.gen(function* () {
      const exit = yield* Effect.exit(Images.generate(params))
      assert.isTrue(Exit.isFailure(exit) && Cause.hasDies(exit.cause))
      assert.include(String(exit), "generate")
    }).pipe(Effect.provide(TestImages.layer({})))
  )
})

describe("TestImages.layerFixed", () => {
  it.effect("returns the images in turn", () =>
    Effect.gen(function* () {
      const response = yield* Images.generate({ ...params, model: "dall-e-2", n: 3 })
      assert.deepStrictEqual(
        response.data.map(({ bytes }) => bytes),
        [TestImages.webp, TestImages.jpeg, TestImages.webp]
      )
    }).pipe(Effect.provide(TestImages.layerFixed(TestImages.webp, TestImages.jpeg)))
  )

  it.effect("streams the requested number of partial images, then each image", () =>
    Effect.gen(function* () {
      const events = yield* Stream.runCollect(Images.generateStream({ ...params, partialImages: 2 }))
      assert.deepStrictEqual(
        events.map((event) => [event._tag, event.bytes]),
        [
          ["PartialImage", TestImages.webp],
          ["PartialImage", TestImages.webp],
          ["Completed", TestImages.webp]
        ]
      )
    }).pipe(Effect.provide(TestImages.layerFixed(TestImages.webp)))
  )

  it.effect("returns an image in the requested format if it has no images of its own", () =>
    Effect.gen(function* () {
      for (const [outputFormat, bytes] of [
        [undefined, TestImages.png],
        ["png", TestImages.png],
        ["webp", TestImages.webp],
        ["jpeg", TestImages.jpeg]
      ] as const) {
        const response = yield* Images.generate({ ...params, outputFormat })
        assert.deepStrictEqual(response.data[0].bytes, bytes)
      }
    }).pipe(Effect.provide(TestImages.layerFixed()))
  )

  it.effect("checks the params, and records the requests", () =>
    Effect.gen(function* () {
      const error = yield* Effect.flip(Images.generate({ prompt: "" }))
      assert.strictEqual(error.reason._tag, "InvalidParamsError")
      yield* Images.generate(params)
      const [request, ...rest] = yield* TestTransport.requests
      assert.deepInclude(request?.body, { prompt: "A sea otter" })
      assert.deepStrictEqual(rest, [])
    }).pipe(Effect.provide(TestImages.layerFixed()))
  )
})
