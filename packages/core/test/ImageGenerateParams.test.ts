import type Gradient from "@digitalocean/gradient"
import { describe, expect, expectTypeOf, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import * as Schema from "effect/Schema"
import * as Stream from "effect/Stream"
import { type GradientClient, ImageGenerateParams, Images } from "../src/index.ts"
import * as Service from "./support/Service.ts"
import * as Wire from "./support/Wire.ts"

type Params = ImageGenerateParams.ImageGenerateParams

/** What was sent for these params. */
const sentFor = (params: Params, options?: GradientClient.RequestOptions) => {
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

/** The rules that the params break; nothing may have been sent. */
const brokenBy = (params: Params, kind: "generate" | "generateStream" = "generate") => {
  const service = Service.make(() => Response.json(Wire.response()))
  const call =
    kind === "generate" ? Effect.asVoid(Images.generate(params)) : Stream.runDrain(Images.generateStream(params))
  return call.pipe(
    Service.failsWith("InvalidParamsError"),
    Effect.provide(service.layer),
    Effect.map(({ issues, mayHaveBeenCharged }) => {
      expect(service.asked).toEqual([])
      expect(mayHaveBeenCharged).toBe(false)
      return Object.fromEntries(issues.map(({ message, param }) => [param, message]))
    })
  )
}

const prompt = "a sea otter"

describe("ImageGenerateParams", () => {
  describe("rules", () => {
    it.effect("names every broken one at once, with what was given and what is allowed", () =>
      Effect.gen(function* () {
        const issues = yield* brokenBy({
          prompt: "",
          n: 2,
          outputCompression: 101,
          outputFormat: "jpeg",
          background: "transparent",
          user: "u".repeat(257),
          partialImages: 1
        })
        expect(issues).toEqual({
          prompt: `"" was given, allowed is 1 to 32,000 characters`,
          n: "2 was given, allowed is 1 with openai-gpt-image-1",
          outputCompression: "101 was given, allowed is a whole number from 0 to 100",
          background: `"transparent" was given, allowed is transparent only with outputFormat png or webp, not jpeg`,
          user: "257 characters was given, allowed is up to 256 characters",
          partialImages: "1 was given, allowed is none with generate: use generateStream"
        })
      })
    )

    it.effect("says them all in the message", () =>
      Effect.gen(function* () {
        const service = Service.make(() => Response.json(Wire.response()))
        const error = yield* Images.generate({ prompt: "", n: 0 }).pipe(Effect.provide(service.layer), Effect.flip)
        expect(error.message).toContain("prompt: ")
        expect(error.message).toContain("n: 0 was given")
        expect(error.message).toContain("Nothing was sent.")
        expect(error.attempts).toEqual([])
      })
    )

    it.effect("a prompt has 1 to 32,000 characters, counted as code points", () =>
      Effect.gen(function* () {
        yield* sentFor({ prompt: "🦦".repeat(32_000) })
        expect(yield* brokenBy({ prompt: "🦦".repeat(32_001) })).toHaveProperty("prompt")
        expect((yield* brokenBy({ prompt: "x".repeat(32_001) }))["prompt"]).toContain("32001 characters was given")
      })
    )

    it.effect.each([0, -1, 11, 1.5, Number.NaN])("n is not %d", (n) =>
      Effect.map(brokenBy({ prompt, n, model: "other" }), (issues) =>
        expect(issues["n"]).toBe(`${n} was given, allowed is a whole number from 1 to 10`)
      )
    )

    it.effect.each([-1, 101, 0.5])("outputCompression is not %d", (outputCompression) =>
      Effect.map(brokenBy({ prompt, outputCompression, outputFormat: "webp" }), (issues) =>
        expect(Object.keys(issues)).toEqual(["outputCompression"])
      )
    )

    it.effect("outputCompression is below 100 only with webp or jpeg", () =>
      Effect.gen(function* () {
        yield* sentFor({ prompt, outputCompression: 0, outputFormat: "webp" })
        yield* sentFor({ prompt, outputCompression: 99, outputFormat: "jpeg" })
        yield* sentFor({ prompt, outputCompression: 100, outputFormat: "png" })
        yield* sentFor({ prompt, outputCompression: 100 })
        const issues = yield* brokenBy({ prompt, outputCompression: 99, outputFormat: "png" })
        expect(issues).toEqual({
          outputCompression: "99 was given, allowed is 100 unless outputFormat is webp or jpeg"
        })
        expect(yield* brokenBy({ prompt, outputCompression: 99 })).toEqual(issues)
      })
    )

    it.effect("a transparent background is refused only with jpeg", () =>
      Effect.gen(function* () {
        yield* sentFor({ prompt, background: "transparent" })
        yield* sentFor({ prompt, background: "transparent", outputFormat: "webp" })
        expect(yield* brokenBy({ prompt, background: "transparent", outputFormat: "jpeg" })).toHaveProperty(
          "background"
        )
      })
    )

    it.effect("user has up to 256 characters", () => sentFor({ prompt, user: "u".repeat(256) }))

    it.effect("partialImages is 1 to 3 for gpt-image models when streaming", () =>
      Effect.gen(function* () {
        for (const model of ["openai-gpt-image-1", "gpt-image-1", "gpt-image-1.5", "openai-gpt-image-2", undefined]) {
          expect(yield* brokenBy({ prompt, model, partialImages: 4 }, "generateStream")).toEqual({
            partialImages: "4 was given, allowed is a whole number from 1 to 3"
          })
        }
        expect(yield* brokenBy({ prompt, partialImages: 0 }, "generateStream")).toHaveProperty("partialImages")
        expect(yield* brokenBy({ prompt, model: "other", partialImages: 0 }, "generateStream")).toEqual({
          partialImages: "0 was given, allowed is a whole number of at least 1"
        })
      })
    )

    it.effect("the rules of one model do not bind another", () =>
      Effect.gen(function* () {
        expect(yield* sentFor({ prompt, model: "other", n: 10 })).toMatchObject({ n: 10 })
        expect(yield* sentFor({ prompt, model: "gpt-image-1.5", n: 10 })).toMatchObject({ n: 10 })
        expect(yield* sentFor({ prompt, model: "openai-gpt-image-1-mini", n: 2 })).toMatchObject({ n: 2 })
        expect(yield* sentForStream({ prompt, model: "other", partialImages: 9 })).toMatchObject({ partial_images: 9 })
      })
    )

    it.effect("a model, size, quality, format or background that is new tomorrow passes", () =>
      Effect.gen(function* () {
        const tomorrow = {
          model: "tomorrow",
          size: "3840x2160",
          quality: "ultra",
          outputFormat: "avif",
          background: "checkered",
          moderation: "strict"
        }
        const { outputFormat, ...same } = tomorrow
        expect(yield* sentFor({ prompt, ...tomorrow })).toEqual({ prompt, n: 1, ...same, output_format: outputFormat })
      })
    )
  })

  describe("on the wire", () => {
    it.effect("model and n are always sent, and nothing else that was not given", () =>
      Effect.gen(function* () {
        expect(yield* sentFor({ prompt })).toEqual({ prompt, model: "openai-gpt-image-1", n: 1 })
        expect(yield* sentForStream({ prompt })).toEqual({
          prompt,
          model: "openai-gpt-image-1",
          n: 1,
          stream: true,
          partial_images: 1
        })
      })
    )

    it.effect("what is undefined is not sent", () =>
      Effect.gen(function* () {
        const params = { prompt, model: undefined, n: undefined, size: undefined, partialImages: undefined }
        expect(yield* sentFor(params)).toEqual({ prompt, model: "openai-gpt-image-1", n: 1 })
        expect(yield* sentForStream(params)).toMatchObject({ n: 1, partial_images: 1 })
      })
    )

    it.effect("every param has its name of the wire", () =>
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
          size: "1536x1024",
          user: "otto",
          stream: true
        })
      })
    )

    it("null is read as absent", () => {
      const decode = Schema.decodeUnknownSync(ImageGenerateParams.Json)
      expect(decode({ prompt, n: null, output_format: null, user: null, partial_images: null })).toEqual({
        prompt
      })
    })

    it("writes and reads back", () => {
      const params = { prompt, outputFormat: "webp", outputCompression: 5, partialImages: 2 } as const
      const wire = Schema.encodeSync(ImageGenerateParams.Json)(params)
      expect(wire).toEqual({ prompt, output_format: "webp", output_compression: 5, partial_images: 2 })
      expect(Schema.decodeSync(ImageGenerateParams.Json)(wire)).toEqual(params)
    })
  })

  describe("extraBody", () => {
    it.effect("an n of it is how many images come", () =>
      Effect.gen(function* () {
        const service = Service.make(() => Wire.stream([Wire.event(Wire.completed()), Wire.event(Wire.completed())]))
        const events = yield* Images.generateStream({ prompt, model: "other" }, { extraBody: { n: 2 } }).pipe(
          Stream.runCollect,
          Effect.provide(service.layer)
        )
        expect(events.length).toBe(2)
      })
    )

    it.effect("adds members, and goes before the params", () =>
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

    it.effect("cannot take model and n away", () =>
      Effect.gen(function* () {
        expect(yield* sentFor({ prompt }, { extraBody: { model: undefined, n: undefined } })).toEqual({
          prompt,
          model: "openai-gpt-image-1",
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

  it("has the types of the SDK on the wire", () => {
    type Sent = typeof ImageGenerateParams.Json.Encoded
    expectTypeOf<Sent>().toExtend<Gradient.ImageGenerateParams>()
    expectTypeOf<Sent & { stream: true }>().toExtend<Gradient.ImageGenerateParams>()
  })
})
