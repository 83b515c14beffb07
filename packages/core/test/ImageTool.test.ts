import { assert, describe, it } from "@effect/vitest"
import { GeneratedImage, type GradientError, ImageGenerateParams, type Images } from "../src/index.ts"
import * as BudgetLedger from "../src/BudgetLedger.ts"
import * as ImagesBudget from "../src/ImagesBudget.ts"
import * as ImageTool from "../src/ImageTool.ts"
import { TestImages, TestTransport } from "../src/testing/index.ts"
import { Deferred, Duration, Effect, Fiber, Layer, Schema, Stream } from "effect"
import { LanguageModel, Prompt, Tool } from "effect/ai"
import { TestClock } from "effect/testing"
import sharp, { type Sharp } from "sharp"

const prompt = "A sea otter"

/** A `keep` that puts each image in a list, and returns a location with its place in the list, such as `shelf/1`. */
const shelf = () => {
  const images: Array<GeneratedImage.GeneratedImage> = []
  const keep = (image: GeneratedImage.GeneratedImage) => Effect.sync(() => `shelf/${images.push(image)}`)
  return { images, keep }
}

/** Calls the tool as a language model would, and returns what the model gets. */
const call = Effect.fnUntraced(function* (params: object) {
  const tools = yield* ImageTool.toolkit
  const decoded = Schema.decodeUnknownEffect(Schema.toEncoded(ImageTool.Parameters))(params)
  const results = yield* Effect.flatMap(decoded, (encoded) => tools.handle("GenerateImage", encoded))
  return yield* Effect.flatMap(Stream.runLast(results), Effect.fromOption)
})

const callWith = <E>(images: Layer.Layer<Images.Images, E>, params: object = { prompt }) =>
  call(params).pipe(Effect.provide(ImageTool.layer(shelf().keep).pipe(Layer.provide(images))))

const refusing = (status: number, error: object = {}) =>
  TestTransport.layerImages(() => TestTransport.respond({ status, json: { error: { message: "No", ...error } } }))

const failureOf = Effect.fnUntraced(function* <E>(images: Layer.Layer<Images.Images, E>, params: object = { prompt }) {
  const fiber = yield* Effect.forkChild(callWith(images, params))
  yield* TestClock.adjust("1 hour")
  const { encodedResult, isFailure } = yield* Fiber.join(fiber)
  assert.isTrue(isFailure)
  return yield* Schema.decodeUnknownEffect(ImageTool.Failure)(encodedResult)
})

describe("GenerateImage", () => {
  it.effect("answers with references, and gives the bytes to `keep` alone", () =>
    Effect.gen(function* () {
      const { images, keep } = shelf()
      const { encodedResult, isFailure } = yield* Effect.provide(call({ prompt, n: 2 }), ImageTool.layer(keep))
      assert.isFalse(isFailure)
      const reference = { mediaType: "image/png", size: "8x8", bytes: TestImages.png.length }
      assert.deepStrictEqual(encodedResult, {
        images: [
          { location: "shelf/1", ...reference },
          { location: "shelf/2", ...reference }
        ]
      })
      assert.deepStrictEqual(
        images.map(({ bytes }) => bytes),
        [TestImages.png, TestImages.png]
      )
    }).pipe(
      Effect.provide(
        TestTransport.layerImages([TestTransport.response(TestImages.makeResponse(TestImages.png, TestImages.png))])
      )
    )
  )

  it.effect("sends the params of the model; null counts as absent", () =>
    Effect.gen(function* () {
      yield* Effect.provide(
        call({ prompt, model: null, n: null, size: "1024x1024", outputFormat: "webp" }),
        ImageTool.layer(shelf().keep)
      )
      const [request] = yield* TestTransport.requests
      assert.deepStrictEqual(request?.body, {
        prompt,
        model: "openai-gpt-image-2",
        n: 1,
        size: "1024x1024",
        output_format: "webp"
      })
    }).pipe(Effect.provide(TestImages.layerFixed()))
  )

  it("describes every param", () => {
    const { properties } = Tool.getJsonSchema(ImageTool.GenerateImage)
    const described = Schema.Record(Schema.String, Schema.Struct({ description: Schema.String }))
    const params = Object.keys(Schema.decodeUnknownSync(described)(properties))
    assert.sameMembers([...params, "partialImages"], [...ImageGenerateParams.names])
  })

  it.effect("lets a model draw, and read the reference", () =>
    Effect.gen(function* () {
      const model = yield* LanguageModel.make({
        generateText: () =>
          Effect.succeed([{ type: "tool-call", id: "1", name: "GenerateImage", params: { prompt, size: null } }]),
        streamText: () => Stream.empty
      })
      const { toolResults } = yield* LanguageModel.generateText({ prompt: "Draw", toolkit: ImageTool.toolkit }).pipe(
        Effect.provideService(LanguageModel.LanguageModel, model),
        Effect.provide(ImageTool.layer(shelf().keep))
      )
      assert.include(JSON.stringify(toolResults.map(({ encodedResult }) => encodedResult)), '"location":"shelf/1"')
    }).pipe(Effect.provide(TestImages.layerFixed()))
  )
})

describe("failures", () => {
  const budget = ImagesBudget.layer({ images: 3 }).pipe(
    Layer.provide([TestImages.layerFixed(), BudgetLedger.layerMemory])
  )

  it.effect.each<readonly [string, Layer.Layer<Images.Images, GradientError.GradientError>, object, RegExp, boolean]>([
    [
      "the service's refusal",
      refusing(400, { code: "moderation_blocked" }),
      {},
      /: No\..*change what it describes/,
      false
    ],
    [
      "every broken rule",
      refusing(400),
      { n: 11, outputCompression: 101 },
      /n must be.*outputCompression must be.*Correct the params/,
      false
    ],
    ["what the service does not accept", refusing(400), {}, /: No\. .*Correct the params/, false],
    [
      "that there is no such model",
      refusing(404, { code: "model_not_found" }),
      { model: "x" },
      /Leave out `model`/,
      false
    ],
    ["the budget, if something is left", budget, { n: 4 }, /only 3 of 3 is left.*at most 3/, false],
    ["when to call again", refusing(429), {}, /Call again in/, false],
    ["to ask the user, if money may have been spent", refusing(500), {}, /ask the user before/, true],
    [
      "to tell the user, if the model cannot help",
      refusing(401),
      {},
      /^The key is missing or was refused\. You cannot solve/,
      false
    ]
  ])("say %s", ([, images, params, words, mayHaveBeenCharged]) =>
    Effect.gen(function* () {
      const failure = yield* failureOf(images, { prompt, ...params })
      assert.match(failure.error, words)
      assert.deepStrictEqual([failure.mayHaveBeenCharged, failure.images], [mayHaveBeenCharged, []])
    })
  )

  it.effect("say that not enough of a budget is left", () =>
    Effect.gen(function* () {
      const none = ImagesBudget.layer({ images: 0 }).pipe(
        Layer.provide([TestImages.layerFixed(), BudgetLedger.layerMemory])
      )
      assert.match((yield* failureOf(none)).error, /Do not call again: tell the user that not enough/)
    })
  )

  it.effect("give the URLs that were paid for in place of images", () =>
    Effect.gen(function* () {
      const url = "https://images.example/1.png"
      const urls = TestTransport.layerImages([TestTransport.respond({ json: { data: [{ url }] } })])
      assert.include((yield* failureOf(urls)).error, url)
    })
  )

  it.effect("keep the images that arrived before", () =>
    Effect.gen(function* () {
      const cut = TestTransport.events(TestImages.makeEvents(TestImages.png, TestImages.png).slice(0, 1))
      const { images } = yield* failureOf(TestTransport.layerImages([cut]))
      assert.deepStrictEqual(
        images.map(({ location }) => location),
        ["shelf/1"]
      )
    })
  )

  it.effect("of `keep` are told to the model, with the images that were kept", () =>
    Effect.gen(function* () {
      let calls = 0
      const keep = () => (calls++ === 0 ? Effect.fail(new Error("the disk is full")) : Effect.succeed("shelf/2"))
      const { encodedResult, isFailure } = yield* Effect.provide(call({ prompt, n: 2 }), ImageTool.layer(keep))
      const failure = yield* Schema.decodeUnknownEffect(ImageTool.Failure)(encodedResult)
      assert.isTrue(isFailure)
      assert.include(failure.error, "generated and paid for")
      assert.notInclude(failure.error, "disk")
      assert.isTrue(failure.mayHaveBeenCharged)
      assert.deepStrictEqual(
        failure.images.map(({ location }) => location),
        ["shelf/2"]
      )
    }).pipe(
      Effect.provide(
        TestTransport.layerImages([TestTransport.response(TestImages.makeResponse(TestImages.png, TestImages.png))])
      )
    )
  )

  it.effect("do not include an interruption after the images arrived: they are kept", () =>
    Effect.gen(function* () {
      const [keeping, kept] = [yield* Deferred.make<void>(), yield* Deferred.make<void>()]
      const keep = () =>
        Deferred.succeed(keeping, undefined).pipe(
          Effect.andThen(Effect.sleep(Duration.minutes(1))),
          Effect.andThen(Deferred.succeed(kept, undefined)),
          Effect.as("shelf/1")
        )
      const fiber = yield* Effect.forkChild(Effect.provide(call({ prompt }), ImageTool.layer(keep)))
      yield* Deferred.await(keeping)
      const interrupting = yield* Effect.forkChild(Fiber.interrupt(fiber))
      yield* TestClock.adjust("1 minute")
      yield* Fiber.join(interrupting)
      assert.isTrue(yield* Deferred.isDone(kept))
    }).pipe(Effect.provide(TestImages.layerFixed()))
  )
})

describe("toReference", () => {
  const pixels = sharp({
    create: { width: 70, height: 300, channels: 4, background: { r: 9, g: 9, b: 9, alpha: 0.5 } }
  })

  it.live.each<readonly [string, Sharp]>([
    ["PNG", pixels.clone().png()],
    ["JPEG", pixels.clone().jpeg()],
    ["progressive JPEG with metadata", pixels.clone().jpeg({ progressive: true }).withMetadata()],
    ["lossy WebP without alpha", pixels.clone().removeAlpha().webp()],
    ["lossy WebP with alpha", pixels.clone().webp()],
    ["lossless WebP", pixels.clone().webp({ lossless: true })]
  ])("reads the size of a %s", ([, image]) =>
    Effect.gen(function* () {
      const bytes = new Uint8Array(yield* Effect.promise(() => image.toBuffer()))
      const { location, size } = ImageTool.toReference(new GeneratedImage.ImageBytes({ bytes }), "x")
      assert.deepStrictEqual([location, size], ["x", "70x300"])
    })
  )

  it("has no size if the header is cut off or the format unknown", () => {
    for (const image of [TestImages.png, TestImages.webp, TestImages.jpeg]) {
      for (let length = 1; length < image.length; length++) {
        const { size } = ImageTool.toReference(new GeneratedImage.ImageBytes({ bytes: image.slice(0, length) }), "x")
        assert.include([undefined, "8x8"], size)
      }
    }
    const unknown = new GeneratedImage.ImageBytes({ bytes: new Uint8Array(100) })
    assert.deepStrictEqual(ImageTool.toReference(unknown, "x"), {
      location: "x",
      mediaType: "application/octet-stream",
      bytes: 100
    })
  })
})

describe("toFilePart", () => {
  it("is a part of a prompt with the same bytes", () => {
    const image = new GeneratedImage.ImageBytes({ bytes: TestImages.webp })
    const part = ImageTool.toFilePart(image)
    assert.deepStrictEqual([part.type, part.mediaType], ["file", "image/webp"])
    assert.strictEqual(part.data, image.bytes)
    assert.isTrue(Prompt.isPart(part))
  })
})
