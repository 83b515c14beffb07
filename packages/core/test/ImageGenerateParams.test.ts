import type Gradient from "@digitalocean/gradient"
import { describe, expect, expectTypeOf, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import * as Schema from "effect/Schema"
import * as Stream from "effect/Stream"
import { type GradientClient, ImageGenerateParams, Images } from "../src/index.ts"
import * as Service from "./support/Service.ts"
import * as Wire from "./support/Wire.ts"

type Params = ImageGenerateParams.ImageGenerateParamsStreaming

/** The request's body that the service gets from a call of `generate` with these params. */
const sentFor = (
  params: ImageGenerateParams.ImageGenerateParamsNonStreaming,
  options?: GradientClient.RequestOptions
) => {
  const service = Service.make(() => Response.json(Wire.response()))
  return Images.generate(params, options).pipe(
    Effect.provide(service.layer),
    Effect.map(() => service.asked[0]?.body)
  )
}

const sentForStream = (params: Params, options?: GradientClient.RequestOptions) => {
  const service = Service.make(() => Wire.stream([Wire.event(Wire.completed())]))
  return Images.generateStream(params, options).pipe(
    Stream.runDrain,
    Effect.provide(service.layer),
    Effect.map(() => service.asked[0]?.body)
  )
}

/** The issues of these params, each as a sentence. */
const brokenBy = (params: object, kind: ImageGenerateParams.Kind = "generate") =>
  ImageGenerateParams.check({ prompt, ...params }, kind).map((issue) => ImageGenerateParams.renderIssue(issue))

const prompt = "a sea otter"

describe("ImageGenerateParams", () => {
  describe("check", () => {
    it("returns every broken rule with the value and the allowed values", () => {
      const params = {
        prompt: "",
        n: 11,
        outputCompression: 101,
        outputFormat: "jpeg",
        background: "transparent",
        user: "u".repeat(257),
        partialImages: 1,
        model: " "
      }
      expect(ImageGenerateParams.check(params, "generate")).toEqual([
        { param: "prompt", given: '""', allowed: "1 to 32,000 characters" },
        { param: "model", given: '" "', allowed: "the name of a model" },
        { param: "n", given: "11", allowed: "1 to 10" },
        { param: "background", given: '"transparent"', allowed: "opaque or auto if the format is jpeg" },
        { param: "outputCompression", given: "101", allowed: "0 to 100" },
        { param: "partialImages", given: "1", allowed: "left out if the call does not stream" },
        { param: "user", given: "257 characters", allowed: "up to 256 characters" }
      ])
    })

    it("returns an empty list for params that can be sent", () => {
      expect(ImageGenerateParams.check({ prompt }, "generate")).toEqual([])
      expect(ImageGenerateParams.check({ prompt, partialImages: 3 }, "stream")).toEqual([])
    })

    it("returns an issue for a wrong type, together with broken rules of other params", () => {
      const params = { prompt: 5, n: "11", model: null, size: [1, 2], user: {}, quality: true, outputCompression: -1 }
      expect(ImageGenerateParams.renderIssues(ImageGenerateParams.check(params, "generate"))).toBe(
        "prompt must be a string (got a number); model must be a string (got null); n must be a number (got a string); " +
          "quality must be a string (got a boolean); size must be a string (got a list); " +
          "user must be a string (got an object); outputCompression must be 0 to 100 (got -1)"
      )
    })

    it("null counts as absent, as in the API", () => {
      expect(brokenBy({ n: null, size: null, outputFormat: null, partialImages: null, user: null })).toEqual([])
    })

    const throwing = {
      get prompt(): string {
        throw new Error("no")
      }
    }
    it.each([undefined, null, 5, "a sea otter", () => prompt, [], {}, Object.create(null), throwing])(
      "never throws: case %#",
      (params) => {
        for (const kind of ["generate", "stream"] as const) {
          expect(ImageGenerateParams.check(params, kind)).toHaveLength(1)
        }
      }
    )

    it("renders the names of params for the reader", () => {
      const issues = ImageGenerateParams.check({ prompt, outputCompression: 50, safetyIdentifier: 5 }, "generate")
      expect(ImageGenerateParams.renderIssues(issues, ImageGenerateParams.wireNameOf)).toBe(
        "safety_identifier must be a string (got a number); " +
          "output_compression must be 100 if the format is png or not set (got 50)"
      )
    })
  })

  describe("rules", () => {
    it.effect("the error has all broken rules, and nothing is sent", () =>
      Effect.gen(function* () {
        const service = Service.make(() => Response.json(Wire.response()))
        const error = yield* Images.generate({ prompt: "", n: 11 }).pipe(Effect.provide(service.layer), Effect.flip)
        expect(error.message).toContain('prompt must be 1 to 32,000 characters (got ""); n must be 1 to 10 (got 11)')
        expect(error.message).toContain("Nothing was sent.")
        expect(error.reason).toMatchObject({
          _tag: "InvalidParamsError",
          issues: [{ param: "prompt" }, { param: "n", given: "11", allowed: "1 to 10" }]
        })
        expect(error.mayHaveBeenCharged).toBe(false)
        expect(error.attempts).toEqual([])
        expect(service.asked).toEqual([])
      })
    )

    it("a prompt has 1 to 32,000 characters, counted as code points", () => {
      expect(brokenBy({ prompt: "🦦".repeat(32_000) })).toEqual([])
      expect(brokenBy({ prompt: "🦦".repeat(32_001) })).toEqual([
        "prompt must be 1 to 32,000 characters (got 32001 characters)"
      ])
    })

    it.each([" ", "\n\t", "\u3000"])("a prompt is not blank: %j", (blank) => {
      expect(brokenBy({ prompt: blank })).toEqual([
        `prompt must be more than white space (got ${JSON.stringify(blank)})`
      ])
    })

    it.each(["\ud83e", "an otter \udda6\ud83e", "x".repeat(50) + "\udda6"])(
      "a prompt has no lone surrogate: %j",
      (text) => {
        expect(brokenBy({ prompt: text })).toEqual(["prompt must be valid Unicode (got half of a surrogate pair)"])
      }
    )

    it.each([0, -1, 11, 1e9])("n is not %d, whatever the model", (n) => {
      for (const model of ["other", "openai-gpt-image-2", undefined]) {
        expect(brokenBy({ n, model })).toEqual([`n must be 1 to 10 (got ${n})`])
      }
    })

    it.each([1.5, Number.NaN, Number.POSITIVE_INFINITY])("n is not %d", (n) => {
      expect(brokenBy({ n })).toEqual([`n must be a whole number (got ${n})`])
    })

    it("n is up to 10 for every model", () => {
      for (const model of ["other", "openai-gpt-image-2", undefined]) expect(brokenBy({ n: 10, model })).toEqual([])
    })

    it.each([-1, 101])("outputCompression is not %d", (outputCompression) => {
      expect(brokenBy({ outputCompression, outputFormat: "webp" })).toEqual([
        `outputCompression must be 0 to 100 (got ${outputCompression})`
      ])
    })

    it("outputCompression is not below 100 with png", () => {
      const broken = ["outputCompression must be 100 if the format is png or not set (got 99)"]
      expect(brokenBy({ outputCompression: 99 })).toEqual(broken)
      expect(brokenBy({ outputCompression: 99, outputFormat: "png" })).toEqual(broken)
      for (const outputFormat of ["webp", "jpeg", "avif", "gif"]) {
        expect(brokenBy({ outputCompression: 0, outputFormat })).toEqual([])
      }
      expect(brokenBy({ outputCompression: 100, outputFormat: "png" })).toEqual([])
    })

    it("a transparent background is refused with jpeg, but not with an unknown format", () => {
      expect(brokenBy({ background: "transparent", outputFormat: "jpeg" })).toEqual([
        'background must be opaque or auto if the format is jpeg (got "transparent")'
      ])
      for (const outputFormat of [undefined, "png", "webp", "gif", "svg"]) {
        expect(brokenBy({ background: "transparent", outputFormat })).toEqual([])
      }
    })

    it("user has up to 256 characters", () => {
      expect(brokenBy({ user: "🦦".repeat(256) })).toEqual([])
      expect(brokenBy({ user: "u".repeat(257) })).toEqual(["user must be up to 256 characters (got 257 characters)"])
    })

    it("partialImages is 1 to 3 for gpt-image models when streaming", () => {
      for (const model of ["openai-gpt-image-2", "gpt-image-1.5", "openai-gpt-image-2", undefined]) {
        expect(brokenBy({ model, partialImages: 4 }, "stream")).toEqual(["partialImages must be 1 to 3 (got 4)"])
      }
      expect(brokenBy({ partialImages: 0 }, "stream")).toEqual(["partialImages must be 1 to 3 (got 0)"])
      expect(brokenBy({ model: "other", partialImages: 9 }, "stream")).toEqual([])
      expect(brokenBy({ model: "other", partialImages: 0 }, "stream")).toEqual([
        "partialImages must be at least 1 (got 0)"
      ])
    })

    it.effect("an unknown model, size, quality, format or background is allowed", () =>
      Effect.gen(function* () {
        const tomorrow = {
          model: "tomorrow",
          size: "3840x2160",
          quality: "ultra",
          outputFormat: "avif",
          background: "checkered",
          moderation: "strict",
          complexity: "extreme"
        }
        const { outputFormat, ...same } = tomorrow
        expect(yield* sentFor({ prompt, ...tomorrow })).toEqual({ prompt, n: 1, ...same, output_format: outputFormat })
      })
    )

    it("are checked by the schemas too", () => {
      const decode = Schema.decodeUnknownExit(Schema.toType(ImageGenerateParams.ImageGenerateParams))
      expect(String(decode({ prompt, n: 11 }))).toContain("n must be 1 to 10 (got 11)")
      const stream = Schema.decodeUnknownExit(Schema.toType(ImageGenerateParams.ImageGenerateParamsStreaming))
      expect(String(stream({ prompt, partialImages: 4 }))).toContain("partialImages must be 1 to 3 (got 4)")
    })
  })

  describe("on the wire", () => {
    it.effect("model and n are always sent, other params only if they are set", () =>
      Effect.gen(function* () {
        expect(yield* sentFor({ prompt })).toEqual({ prompt, model: "openai-gpt-image-2", n: 1 })
        expect(yield* sentForStream({ prompt })).toEqual({
          prompt,
          model: "openai-gpt-image-2",
          n: 1,
          stream: true,
          partial_images: 1
        })
      })
    )

    it.effect("undefined params are not sent", () =>
      Effect.gen(function* () {
        const params = { prompt, model: undefined, n: undefined, size: undefined }
        expect(yield* sentFor(params)).toEqual({ prompt, model: "openai-gpt-image-2", n: 1 })
        expect(yield* sentForStream({ ...params, partialImages: undefined })).toMatchObject({ n: 1, partial_images: 1 })
      })
    )

    it.effect("every param is sent by its name on the wire", () =>
      Effect.gen(function* () {
        const sent = yield* sentForStream({
          prompt,
          model: "gpt-image-1",
          n: 1,
          background: "opaque",
          moderation: "low",
          outputCompression: 80,
          outputFormat: "webp",
          partialImages: 2,
          quality: "high",
          safetyIdentifier: "7f3a",
          complexity: "low",
          size: "1536x1024",
          user: "otto"
        })
        expect(sent).toEqual({
          prompt,
          model: "gpt-image-1",
          n: 1,
          background: "opaque",
          moderation: "low",
          output_compression: 80,
          output_format: "webp",
          partial_images: 2,
          quality: "high",
          safety_identifier: "7f3a",
          complexity: "low",
          size: "1536x1024",
          user: "otto",
          stream: true
        })
      })
    )

    it("null is decoded as absent", () => {
      const decode = Schema.decodeUnknownSync(ImageGenerateParams.Json)
      expect(decode({ prompt, n: null, output_format: null, user: null, partial_images: null })).toEqual({
        prompt
      })
    })

    it("encodes and decodes again", () => {
      const params = { prompt, outputFormat: "webp", outputCompression: 5, partialImages: 2 } as const
      const wire = Schema.encodeSync(ImageGenerateParams.Json)(params)
      expect(wire).toEqual({ prompt, output_format: "webp", output_compression: 5, partial_images: 2 })
      expect(Schema.decodeSync(ImageGenerateParams.Json)(wire)).toEqual(params)
    })
  })

  describe("extraBody", () => {
    it.effect("its n is the expected number of images", () =>
      Effect.gen(function* () {
        const service = Service.make(() => Wire.stream([Wire.event(Wire.completed()), Wire.event(Wire.completed())]))
        const events = yield* Images.generateStream({ prompt, model: "other" }, { extraBody: { n: 2 } }).pipe(
          Stream.runCollect,
          Effect.provide(service.layer)
        )
        expect(events.length).toBe(2)
      })
    )

    it.effect("adds members, and overrides the params", () =>
      Effect.gen(function* () {
        expect(yield* sentFor({ prompt, size: "auto" }, { extraBody: { seed: 7, size: "2x2" } })).toMatchObject({
          seed: 7,
          size: "2x2"
        })
      })
    )

    it.effect("cannot override stream", () =>
      Effect.gen(function* () {
        expect(yield* sentFor({ prompt }, { extraBody: { stream: true } })).not.toHaveProperty("stream")
        expect(yield* sentForStream({ prompt }, { extraBody: { stream: false } })).toMatchObject({ stream: true })
      })
    )

    it.effect("cannot remove model and n", () =>
      Effect.gen(function* () {
        expect(yield* sentFor({ prompt }, { extraBody: { model: undefined, n: undefined } })).toEqual({
          prompt,
          model: "openai-gpt-image-2",
          n: 1
        })
      })
    )

    const circle: Record<string, unknown> = {}
    circle["self"] = circle
    it.effect.each([
      { what: "a circle", extraBody: circle },
      { what: "a bigint", extraBody: { seed: 1n } },
      {
        what: "a toJSON that throws",
        extraBody: {
          toJSON: () => {
            throw new Error("no")
          }
        }
      },
      { what: "a toJSON that gives nothing", extraBody: { toJSON: () => undefined } },
      {
        what: "a getter that throws",
        extraBody: {
          get seed() {
            throw new Error("no")
          }
        }
      }
    ])("$what is InvalidParamsError, before anything is sent", ({ extraBody }) =>
      Effect.gen(function* () {
        const service = Service.make(() => Response.json(Wire.response()))
        const reason = yield* Images.generate({ prompt }, { extraBody }).pipe(
          Service.failsWith("InvalidParamsError"),
          Effect.provide(service.layer)
        )
        expect(reason.issues.map(({ param }) => param)).toEqual(["extraBody"])
        expect(service.asked).toEqual([])
      })
    )
  })

  it("generate does not accept partialImages, and generateStream accepts the params of both", () => {
    type Streaming = ImageGenerateParams.ImageGenerateParamsStreaming
    expectTypeOf<{ prompt: string; partialImages: number }>().not.toExtend<Parameters<typeof Images.generate>[0]>()
    expectTypeOf<Streaming>().not.toExtend<Parameters<typeof Images.generate>[0]>()
    expectTypeOf<ImageGenerateParams.ImageGenerateParams>().toExtend<Parameters<typeof Images.generate>[0]>()
    expectTypeOf<ImageGenerateParams.ImageGenerateParams>().toExtend<Parameters<typeof Images.generateStream>[0]>()
    expectTypeOf<Parameters<typeof Images.generateStream>[0]>().toEqualTypeOf<Streaming>()
  })

  it("has the types of the SDK on the wire", () => {
    type Sent = typeof ImageGenerateParams.Json.Encoded
    expectTypeOf<Sent>().toExtend<Gradient.ImageGenerateParams>()
    expectTypeOf<Sent & { stream: true }>().toExtend<Gradient.ImageGenerateParams>()
  })
})
