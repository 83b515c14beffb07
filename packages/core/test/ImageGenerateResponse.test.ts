import type Gradient from "@digitalocean/gradient"
import { describe, expect, expectTypeOf, it } from "@effect/vitest"
import * as Cause from "effect/Cause"
import * as DateTime from "effect/DateTime"
import * as Effect from "effect/Effect"
import * as Logger from "effect/Logger"
import * as References from "effect/References"
import * as Schema from "effect/Schema"
import * as TestClock from "effect/testing/TestClock"
import { inspect } from "node:util"
import { GeneratedImage as Image, GradientError, ImageGenerateResponse, Images, RetryPolicy } from "../src/index.ts"
import * as Service from "./support/Service.ts"
import * as Wire from "./support/Wire.ts"

const generate = (reply: unknown, headers: Record<string, string> = {}) =>
  Images.generate({ prompt: "a sea otter" }, { retry: RetryPolicy.none }).pipe(
    Effect.provide(Service.make(() => Response.json(reply, { headers })).layer)
  )

const generateText = (reply: string | ReadonlyArray<string>) =>
  Images.generate({ prompt: "a sea otter" }, { retry: RetryPolicy.none }).pipe(
    Effect.provide(Service.make(() => new Response(Wire.body([reply].flat()))).layer)
  )

const { GeneratedImage } = Image

describe("ImageGenerateResponse", () => {
  it.effect("decodes every field of the wire", () =>
    Effect.gen(function* () {
      const item = { b64_json: Wire.base64(Wire.png(9)), revised_prompt: "an otter", output_format: "png" }
      const response = yield* generate({
        created: 1_760_000_000,
        data: [item],
        background: "opaque",
        output_format: "webp",
        quality: "high",
        size: "1024x1024",
        usage: { ...Wire.usage, output_tokens_details: { image_tokens: 1000 } }
      })
      expect(response).toBeInstanceOf(ImageGenerateResponse.ImageGenerateResponse)
      expect({ ...response, data: undefined }).toEqual({
        created: DateTime.makeUnsafe(1_760_000_000_000),
        data: undefined,
        background: "opaque",
        outputFormat: "webp",
        quality: "high",
        size: "1024x1024",
        usage: {
          inputTokens: 10,
          outputTokens: 1000,
          totalTokens: 1010,
          inputTokensDetails: { textTokens: 8, imageTokens: 2 },
          outputTokensDetails: { imageTokens: 1000 }
        }
      })
      expect({ ...response.data[0] }).toEqual({ bytes: Wire.png(9), revisedPrompt: "an otter", outputFormat: "png" })
    })
  )

  it.effect("decodes null as absent, and ignores unknown members", () =>
    Effect.gen(function* () {
      const image = {
        b64_json: Wire.base64(Wire.png()),
        revised_prompt: null,
        output_format: null,
        url: null,
        later: {}
      }
      const settings = { background: null, output_format: null, quality: null, size: null, usage: null }
      const response = yield* generate({ created: 0, data: [image], ...settings, later: [1], requestId: "forged" })
      expect({ ...response, data: undefined }).toEqual({ created: DateTime.makeUnsafe(0), data: undefined })
      expect({ ...response.data[0] }).toEqual({ bytes: Wire.png() })
      const usage = { input_tokens: 1, total_tokens: 2, output_tokens: null, input_tokens_details: null }
      expect((yield* generate(Wire.response([Wire.png()], { usage }))).usage).toEqual({
        inputTokens: 1,
        totalTokens: 2
      })
    })
  )

  it.effect("an image without a format has the format of the reply", () =>
    Effect.gen(function* () {
      const data = [
        { b64_json: "AAAA" },
        { b64_json: "AAAA", output_format: null },
        { b64_json: "AAAA", output_format: "png" }
      ]
      const response = yield* generate({ created: 0, data, output_format: "webp" })
      expect(response.data.map(({ outputFormat }) => outputFormat)).toEqual(["webp", "webp", "png"])
    })
  )

  it.effect("carries the request id and the rate limit of the head, in either family", () =>
    Effect.gen(function* () {
      const own = yield* generate(Wire.response(), {
        "x-request-id": "req-1",
        "ratelimit-limit": "250",
        "ratelimit-remaining": "249",
        "ratelimit-reset": "1760000060"
      })
      expect(own.requestId).toBe("req-1")
      expect(own.rateLimit).toEqual({ limit: 250, remaining: 249, resetAt: DateTime.makeUnsafe(1_760_000_060_000) })
      const other = yield* generate(Wire.response(), {
        "x-ratelimit-limit-requests": "60",
        "x-ratelimit-remaining-requests": "59",
        "x-ratelimit-reset-requests": "1h2m3.5s"
      })
      expect(other.rateLimit).toEqual({ limit: 60, remaining: 59, resetAt: DateTime.makeUnsafe(3_723_500) })
      expect(other.requestId).toBeUndefined()
      expect((yield* generate(Wire.response())).rateLimit).toBeUndefined()
      expect((yield* generate(Wire.response(), { "ratelimit-remaining": "3" })).rateLimit).toEqual({ remaining: 3 })
    })
  )

  describe("members around a valid image", () => {
    const image = { b64_json: Wire.base64(Wire.png()) }

    it.effect.each([
      { what: "in seconds", created: 1_700_000_000, millis: 1_700_000_000_000 },
      { what: "in milliseconds", created: 1_700_000_000_123, millis: 1_700_000_000_123 },
      { what: "as text", created: "1700000000", millis: 1_700_000_000_000 },
      { what: "as a date", created: "2023-11-14T22:13:20Z", millis: 1_700_000_000_000 }
    ])("a time $what is read", ({ created, millis }) =>
      Effect.gen(function* () {
        const response = yield* generate({ created, data: [image] })
        expect(DateTime.toEpochMillis(response.created)).toBe(millis)
      })
    )

    it.effect.each([undefined, null, "", "now", -1, 1e15, 1.7e308, true, {}, [1]])(
      "a time of %j is the time of arrival",
      (created) =>
        Effect.gen(function* () {
          yield* TestClock.setTime(1_700_000_000_456)
          const response = yield* generate({ created, data: [image] })
          expect(DateTime.toEpochMillis(response.created)).toBe(1_700_000_000_456)
          expect(response.data[0].bytes).toEqual(Wire.png())
        })
    )

    it.effect("decodes numbers of usage that are strings", () =>
      Effect.gen(function* () {
        const usage = { input_tokens: "10", output_tokens: "1000", total_tokens: "1010" }
        expect((yield* generate({ created: 1, data: [image], usage })).usage).toEqual({
          inputTokens: 10,
          outputTokens: 1000,
          totalTokens: 1010
        })
      })
    )

    it.effect.each([
      { what: "empty", usage: {} },
      { what: "of a chat", usage: { prompt_tokens: 1, completion_tokens: 2, total_tokens: 3 } },
      { what: "without a total", usage: { input_tokens: 1 } },
      { what: "as words", usage: { input_tokens: "many", total_tokens: "more" } },
      { what: "as text", usage: "free" },
      { what: "as a list", usage: [1, 2] }
    ])("usage that is $what is absent", ({ usage }) =>
      Effect.gen(function* () {
        const response = yield* generate({ created: 1, data: [image], usage })
        expect(response.usage).toBeUndefined()
        expect(response.data[0].bytes).toEqual(Wire.png())
      })
    )

    it.effect("leaves out members that cannot be decoded, and logs them at debug level", () =>
      Effect.gen(function* () {
        const logged: Array<string> = []
        const logger = Logger.make(({ logLevel, message }) => logged.push(`${logLevel}: ${String(message)}`))
        const data = [image, { ...image, revised_prompt: 7, output_format: {} }]
        const usage = { input_tokens: 1, total_tokens: 2, output_tokens: {}, input_tokens_details: "none" }
        const reply = { created: "now", data, size: 7, quality: [], background: {}, output_format: 1, usage }
        const response = yield* generate(reply).pipe(
          Effect.provide(Logger.layer([logger])),
          Effect.provideService(References.MinimumLogLevel, "Debug")
        )
        expect({ ...response, created: undefined, data: undefined }).toEqual({
          created: undefined,
          data: undefined,
          usage: { inputTokens: 1, totalTokens: 2 }
        })
        expect(response.data.map((each) => ({ ...each }))).toEqual([{ bytes: Wire.png() }, { bytes: Wire.png() }])
        expect(logged.length).toBe(1)
        for (const name of [
          "created",
          "size",
          "quality",
          "background",
          "usage.output_tokens",
          "data[1].revised_prompt"
        ]) {
          expect(logged[0]).toContain(name)
        }
        expect(logged[0]).toContain("Debug")
      })
    )

    it.effect.each([{}, [], null, false, "", { message: "" }])("a member error of %j is not an error", (error) =>
      Effect.gen(function* () {
        const response = yield* generate({ ...Wire.response(), id: "img-1", message: "done", error, errors: [] })
        expect(response.data[0].bytes).toEqual(Wire.png())
      })
    )
  })

  describe("an image that was sent as a URL", () => {
    const url = "https://images.example/otter.png?signature=abc"

    it.effect("fails with the URL, and with the images that were sent as bytes", () =>
      Effect.gen(function* () {
        const data = [{ url }, { b64_json: Wire.base64(Wire.png()) }, { b64_json: "", url: `${url}2` }]
        const reason = yield* Service.failsWith("InvalidResponseError")(generate({ created: 1, data }))
        expect(reason.urls).toEqual([url, `${url}2`])
        expect(reason.images.map(({ bytes }) => bytes)).toEqual([Wire.png()])
        expect(reason.message).toContain(url)
        expect(reason.message).toContain("download it soon")
        expect(reason).toMatchObject({ mayHaveBeenCharged: true, isRetryable: false })
      })
    )

    it.effect("is ignored if the image also has bytes", () =>
      Effect.gen(function* () {
        const response = yield* generate({ created: 1, data: [{ b64_json: Wire.base64(Wire.png()), url }] })
        expect(response.data[0].bytes).toEqual(Wire.png())
      })
    )
  })

  describe("an image that was sent as a data URL", () => {
    const dataUrl = `data:image/png;base64,${Wire.base64(Wire.png(3_000))}`

    it.effect.each([3_000, 3_001, 3_002])("is read with and without padding: %d bytes", (length) =>
      Effect.gen(function* () {
        for (const text of [Wire.base64(Wire.png(length)), Wire.base64(Wire.png(length)).replace(/=+$/, "")]) {
          for (const member of ["url", "b64_json"]) {
            const reply = JSON.stringify({ data: [{ [member]: `data:image/png;base64,${text}` }] })
            const response = yield* generateText(reply)
            expect(response.data[0].bytes).toEqual(Wire.png(length))
          }
        }
      })
    )

    it.effect.each([
      { what: "in url", reply: JSON.stringify({ data: [{ url: dataUrl }] }) },
      { what: "in url, beside an empty b64_json", reply: JSON.stringify({ data: [{ b64_json: null, url: dataUrl }] }) },
      { what: "in b64_json", reply: JSON.stringify({ data: [{ b64_json: dataUrl }] }) },
      { what: "with escapes", reply: JSON.stringify({ data: [{ b64_json: dataUrl }] }).replaceAll("/", "\\/") }
    ])("is read: $what", ({ reply }) =>
      Effect.gen(function* () {
        for (const parts of [[reply], [...reply]]) {
          const response = yield* generateText(parts)
          expect(response.data.map(({ bytes }) => bytes)).toEqual([Wire.png(3_000)])
        }
      })
    )

    it.effect.each([
      "data:",
      "data:image/png,AAAA",
      "data:image/png;base64,",
      "data:image/png;base64,?",
      `data:${"x".repeat(200)}`
    ])("is refused if it is %s, in either place", (bad) =>
      Effect.gen(function* () {
        const image = { b64_json: Wire.base64(Wire.png()) }
        for (const item of [{ b64_json: bad }, { url: bad }]) {
          const reason = yield* Service.failsWith("InvalidResponseError")(generate({ created: 1, data: [item, image] }))
          expect(reason.images.map(({ bytes }) => bytes)).toEqual([Wire.png()])
        }
      })
    )
  })

  describe("a member that occurs twice", () => {
    const first = Wire.base64(Wire.png(20))
    const second = Wire.base64(Wire.png(30))
    const dataUrl = `data:image/png;base64,${second}`
    it.effect.each([
      { what: "data", reply: `{"created":1,"data":[{"b64_json":"${first}"}],"data":[{"b64_json":"${second}"}]}` },
      { what: "data, then null", reply: `{"data":[{"b64_json":"${second}"},{"b64_json":"${first}"}],"data":null}` },
      { what: "b64_json", reply: `{"created":1,"data":[{"b64_json":"${first}","b64_json":"${second}"}]}` },
      { what: "an image beside data", reply: `{"b64_json":"${first}","data":[{"b64_json":"${second}"}]}` },
      { what: "an image beside the URL of one", reply: `{"b64_json":"${first}","data":[{"url":"${dataUrl}"}]}` },
      { what: "data, then a URL", reply: `{"data":[{"b64_json":"${first}"}],"data":[{"url":"${dataUrl}"}]}` }
    ])("loses no image: $what", ({ reply }) =>
      Effect.gen(function* () {
        const response = yield* generateText(reply)
        expect(response.data.map(({ bytes }) => bytes)).toEqual([Wire.png(30), Wire.png(20)])
      })
    )
  })

  describe("is refused", () => {
    const image = { b64_json: Wire.base64(Wire.png()) }
    it.effect.each([
      { what: "without data", reply: { created: 1 }, path: "the reply has no images" },
      { what: "with empty data", reply: { created: 1, data: [] }, path: "the reply has no images" },
      { what: "with data that is no list", reply: { created: 1, data: {} }, path: "the reply has no images" },
      { what: "with an item that is no object", reply: { created: 1, data: [image, 7] }, path: `["data"][1]` },
      {
        what: "with an item without an image",
        reply: { created: 1, data: [{ revised_prompt: "an otter" }] },
        path: `["data"][0]["b64_json"]`
      },
      {
        what: "with an image of null",
        reply: { created: 1, data: [{ b64_json: null, url: null }] },
        path: `["data"][0]["b64_json"]`
      },
      {
        what: "with an image that is a number",
        reply: { created: 1, data: [{ b64_json: 0 }] },
        path: "data[0].b64_json"
      },
      {
        what: "with an image that is no base64",
        reply: { created: 1, data: [image, { b64_json: "?" }] },
        path: "data[1].b64_json"
      },
      { what: "with half a padding", reply: { created: 1, data: [{ b64_json: "AA=" }] }, path: "data[0].b64_json" },
      {
        what: "with one character too many",
        reply: { created: 1, data: [{ b64_json: "AAAAA" }] },
        path: "data[0].b64_json"
      },
      {
        what: "with an empty image",
        reply: { created: 1, data: [{ b64_json: "" }] },
        path: "data[0].b64_json is empty"
      },
      {
        what: "with an image of white space",
        reply: { created: 1, data: [7, { b64_json: " \n" }] },
        path: "data[1].b64_json is empty"
      },
      {
        what: "with an image that is an escaped quote",
        reply: { created: 1, data: [{ b64_json: 'AAAA"' }, image] },
        path: "data[0].b64_json is not base64"
      },
      { what: "as a list", reply: [image], path: "not an object" }
    ])("$what, with the path", ({ path, reply }) =>
      Effect.gen(function* () {
        const reason = yield* Service.failsWith("InvalidResponseError")(generate(reply))
        expect(reason.message).toContain(path)
        expect(reason).toMatchObject({ status: 200, mayHaveBeenCharged: true, isRetryable: false })
      })
    )

    it.effect("with the usable images before and after the unusable one", () =>
      Effect.gen(function* () {
        for (const bad of ["?", "AAAAA", "", "\\", '"', "data:image/png;base64,"]) {
          const data = [image, { b64_json: bad }, { b64_json: Wire.base64(Wire.png(20)) }]
          const reason = yield* Service.failsWith("InvalidResponseError")(generate({ created: 1, data }))
          expect(reason.message).toContain("data[1].b64_json")
          expect(reason.images.map(({ bytes }) => bytes)).toEqual([Wire.png(), Wire.png(20)])
        }
      })
    )

    it.effect("without megabytes in the message", () =>
      Effect.gen(function* () {
        const long = "x".repeat(900_000)
        const many = Array.from({ length: 30_000 }, () => 7)
        for (const reply of [
          { created: long, data: [{}] },
          { created: 1, data: [{}], usage: long },
          { created: 1, data: [{ b64_json: Wire.base64(Wire.png(1_000_000)) }, { b64_json: null }] },
          { created: 1, data: [{ url: `https://images.example/${long}` }] },
          { created: 1, data: many },
          { created: { long }, data: [{}], size: [long] }
        ]) {
          const reason = yield* Service.reasonOf(generate(reply))
          expect(reason._tag).toBe("InvalidResponseError")
          expect(reason.message.length).toBeLessThan(5_000)
        }
      })
    )
  })

  describe("an image", () => {
    const text = (...parts: ReadonlyArray<string>) => new Uint8Array(Buffer.from(parts.join(""), "latin1"))
    it.each([
      { what: "PNG", bytes: Wire.png(), type: "image/png", extension: "png" },
      { what: "JPEG", bytes: text("\xff\xd8\xff\xe0"), type: "image/jpeg", extension: "jpg" },
      { what: "WebP", bytes: text("RIFF\x00\x00\x00\x00WEBPVP8 "), type: "image/webp", extension: "webp" },
      { what: "what nobody knows", bytes: text("hello"), type: "application/octet-stream", extension: "bin" },
      { what: "nothing", bytes: text(), type: "application/octet-stream", extension: "bin" },
      {
        what: "RIFF that is no WebP",
        bytes: text("RIFF\x00\x00\x00\x00WAVE"),
        type: "application/octet-stream",
        extension: "bin"
      }
    ])("of $what is $type", async ({ bytes, extension, type }) => {
      const image = new GeneratedImage({ bytes })
      expect(image.mediaType).toBe(type)
      expect(image.extension).toBe(extension)
      expect(image.toDataUrl()).toBe(`data:${type};base64,${Wire.base64(bytes)}`)
      const blob = image.toBlob()
      expect(blob?.type).toBe(type)
      expect(new Uint8Array((await blob?.arrayBuffer()) ?? [])).toEqual(bytes)
    })

    it.each([
      ["png", "image/png"],
      ["webp", "image/webp"],
      ["jpeg", "image/jpeg"],
      ["later", "application/octet-stream"]
    ])("of unknown bytes that was asked for as %s is %s", (outputFormat, type) => {
      expect(new GeneratedImage({ bytes: text("hello"), outputFormat }).mediaType).toBe(type)
    })

    it("has the media type of its bytes, whatever format was requested", () => {
      expect(new GeneratedImage({ bytes: Wire.png(), outputFormat: "webp" }).mediaType).toBe("image/png")
    })
  })

  describe("printed", () => {
    const image = new GeneratedImage({ bytes: Wire.png(12_000_000), revisedPrompt: "an otter" })
    const response = new ImageGenerateResponse.ImageGenerateResponse({
      created: DateTime.makeUnsafe(0),
      data: [image]
    })
    const reason = new GradientError.IncompleteStreamError({ images: [image] })
    const error = GradientError.fromReason(reason)
    const things = [image, response, reason, error, Cause.fail(error), { nested: [response] }, [image]]

    // If the 12 MB of the image were printed, the text would have millions of characters and take seconds.
    const isShort = (text: string) => {
      expect(text.length).toBeLessThan(4_000)
      return text
    }

    it("shows the size and type of an image, in JSON, as a string and to util.inspect", () => {
      const shown = "image/png, 12000000 bytes"
      expect(JSON.parse(JSON.stringify(image))).toEqual({ bytes: shown, revisedPrompt: "an otter" })
      for (const text of [
        String(image),
        inspect(image),
        String(response),
        JSON.stringify(response),
        inspect(response)
      ]) {
        expect(isShort(text)).toContain(shown)
      }
      for (const text of [image, response, reason, error].map(String)) isShort(text)
      for (const thing of things) isShort(JSON.stringify(thing) + inspect(thing, { depth: 20 }))
    })

    it.effect("is short in every log", () =>
      Effect.gen(function* () {
        const lines: Array<unknown> = []
        const loggers = [
          Logger.formatJson,
          Logger.formatLogFmt,
          Logger.formatSimple,
          Logger.map(Logger.formatStructured, (structured) => JSON.stringify(structured))
        ].map((format) => Logger.map(format, (line) => void lines.push(line)))
        const pretty: Array<string> = []
        const console = Logger.make(({ message }) => void pretty.push(inspect(message, { depth: 20 })))
        yield* Effect.forEach(things, (thing) => Effect.log("drawn", thing)).pipe(
          Effect.annotateLogs({ response }),
          Effect.provide(Logger.layer([...loggers, console]))
        )
        expect(lines.length).toBe(things.length * 4)
        for (const line of lines) isShort(String(line))
        for (const line of pretty) isShort(line)
      })
    )
  })

  describe("Json", () => {
    it("encodes to the wire and decodes it again", () => {
      const wire = Wire.response([Wire.png(5)], { output_format: "png", usage: Wire.usage, size: "auto" })
      const response = Schema.decodeUnknownSync(ImageGenerateResponse.Json)(wire)
      expect(response.data[0].bytes).toEqual(Wire.png(5))
      expect(Schema.encodeSync(ImageGenerateResponse.Json)(response)).toEqual(wire)
    })
  })

  it("accepts the types of the official SDK", () => {
    type Wire = typeof ImageGenerateResponse.Json.schema.Encoded
    type Sent = Gradient.ImageGenerateResponse
    expectTypeOf<Omit<Sent, "data">>().toExtend<Omit<Wire, "data">>()
    expectTypeOf<Omit<Sent["data"][number], "b64_json">>().toExtend<Omit<Wire["data"][number], "b64_json">>()
    expectTypeOf<Wire["data"][number]["b64_json"]>().toEqualTypeOf<Uint8Array>()
  })
})
