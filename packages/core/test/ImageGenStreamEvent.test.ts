import type Gradient from "@digitalocean/gradient"
import { describe, expect, expectTypeOf, it } from "@effect/vitest"
import * as DateTime from "effect/DateTime"
import * as Effect from "effect/Effect"
import * as Logger from "effect/Logger"
import * as References from "effect/References"
import * as Schema from "effect/Schema"
import * as Stream from "effect/Stream"
import { inspect } from "node:util"
import { Images, ImageGenStreamEvent, RetryPolicy } from "../src/index.ts"
import * as Service from "./support/Service.ts"
import * as Wire from "./support/Wire.ts"

const { Completed, PartialImage } = ImageGenStreamEvent

const eventsOf = (
  events: ReadonlyArray<{ readonly type: string }>,
  headers: Record<string, string> = {},
  partialImages = 1
) =>
  Stream.runCollect(Images.generateStream({ prompt: "a sea otter", partialImages }, { retry: RetryPolicy.none })).pipe(
    Effect.provide(Service.make(() => Wire.stream(events.map(Wire.event), "closes", headers)).layer)
  )

const settings = {
  created_at: 1_760_000_000,
  background: "opaque",
  output_format: "webp",
  quality: "low",
  size: "auto"
}

describe("ImageGenStreamEvent", () => {
  it.effect("decodes every field of the wire", () =>
    Effect.gen(function* () {
      const [partial, completed] = yield* eventsOf(
        [
          Wire.partial(2, Wire.png(9), settings),
          Wire.completed(Wire.png(10), { ...settings, revised_prompt: "an otter", usage: Wire.usage })
        ],
        { "x-request-id": "req-1", "ratelimit-remaining": "3" }
      )
      const ours = {
        createdAt: DateTime.makeUnsafe(1_760_000_000_000),
        background: "opaque",
        outputFormat: "webp",
        quality: "low",
        size: "auto"
      }
      expect(partial).toBeInstanceOf(PartialImage)
      expect({ ...partial }).toEqual({
        _tag: "PartialImage",
        bytes: Wire.png(9),
        partialImageIndex: 2,
        partialImages: 1,
        ...ours
      })
      expect(completed).toBeInstanceOf(Completed)
      expect({ ...completed }).toEqual({
        _tag: "Completed",
        bytes: Wire.png(10),
        revisedPrompt: "an otter",
        usage: {
          inputTokens: 10,
          outputTokens: 1000,
          totalTokens: 1010,
          inputTokensDetails: { textTokens: 8, imageTokens: 2 }
        },
        ...ours,
        requestId: "req-1",
        rateLimit: { remaining: 3 }
      })
    })
  )

  it.effect("decodes null as absent, and ignores unknown members", () =>
    Effect.gen(function* () {
      const nothing = { created_at: null, background: null, output_format: null, quality: null, size: null, later: {} }
      const [partial, completed] = yield* eventsOf([
        Wire.partial(0, Wire.png(), nothing),
        Wire.completed(Wire.png(), { ...nothing, usage: null, revised_prompt: null, requestId: "forged" })
      ])
      expect({ ...partial }).toEqual({
        _tag: "PartialImage",
        bytes: Wire.png(),
        partialImageIndex: 0,
        partialImages: 1
      })
      expect({ ...completed }).toEqual({ _tag: "Completed", bytes: Wire.png() })
    })
  )

  it.effect.each([
    { what: "without an image", event: { type: "image_generation.completed" }, path: `["b64_json"]` },
    { what: "with an empty image", event: Wire.completed(new Uint8Array()), path: "b64_json is empty" },
    { what: "with an image of null", event: { ...Wire.completed(), b64_json: null }, path: `["b64_json"]` },
    {
      what: "with long nonsense",
      event: { type: "image_generation.completed", usage: "x".repeat(900_000) },
      path: `["b64_json"]`
    }
  ])("one $what is refused, with the path, few words and the last picture", ({ event, path }) =>
    Effect.gen(function* () {
      const reason = yield* Service.failsWith("InvalidResponseError")(eventsOf([Wire.partial(0, Wire.png(9)), event]))
      expect(reason.message).toContain(path)
      expect(reason.message).toContain(event.type)
      expect(reason.message.length).toBeLessThan(5_000)
      expect(reason.images.map(({ bytes }) => bytes)).toEqual([Wire.png(9)])
    })
  )

  it.effect.each([undefined, null, 0.5, -1, "third", {}, 1e300])(
    "a partial image with an index of %j comes after the last one",
    (index) =>
      Effect.gen(function* () {
        const strange = Wire.partial(0, Wire.png(9), { partial_image_index: index })
        const events = yield* eventsOf([strange, Wire.partial(4), strange, Wire.completed()], {}, 2)
        const indexes = events.map((event) => (event._tag === "PartialImage" ? event.partialImageIndex : event._tag))
        expect(indexes).toEqual([0, 4, 5, "Completed"])
      })
  )

  it.effect("a partial image has the number of requested partial images", () =>
    Effect.gen(function* () {
      const forged = Wire.partial(0, Wire.png(), { partialImages: 7 })
      const [partial] = yield* eventsOf([forged, Wire.completed()], {}, 3)
      expect(partial).toMatchObject({ partialImages: 3 })
    })
  )

  it.effect("accepts twice the requested number of partial images, at least 6, and no more", () =>
    Effect.gen(function* () {
      // The limit is 6, not 2, for a call with 1 partial image, because some servers always send 3 partial images of
      // each image.
      const partials = [0, 1, 2, 3, 4, 5].map((index) => Wire.partial(index, Wire.png(20 + index)))
      expect((yield* eventsOf([...partials, Wire.completed()], {}, 1)).length).toBe(7)
      expect((yield* eventsOf([...partials, Wire.completed()], {}, 3)).length).toBe(7)
      const bad = { type: "image_generation.partial_image", b64_json: "" }
      for (const more of [Wire.partial(6, Wire.png(26)), bad]) {
        const call = eventsOf([...partials, more, Wire.completed()], {}, 2)
        const reason = yield* Service.failsWith("InvalidResponseError")(call)
        expect(reason.message).toContain("more than 6 partial images")
        expect(reason.images.length).toBe(1)
      }
    })
  )

  it.effect("decodes an index that is a string", () =>
    Effect.gen(function* () {
      const [partial] = yield* eventsOf([Wire.partial(0, Wire.png(), { partial_image_index: "2" }), Wire.completed()])
      expect(partial).toMatchObject({ partialImageIndex: 2 })
    })
  )

  it.effect("leaves out members that cannot be decoded, and logs them at debug level", () =>
    Effect.gen(function* () {
      const logged: Array<string> = []
      const logger = Logger.make(({ logLevel, message }) => logged.push(`${logLevel}: ${String(message)}`))
      const strange = { created_at: 1e300, size: {}, quality: 7, background: [], output_format: false, usage: "free" }
      const [partial, completed] = yield* eventsOf([
        Wire.partial(0, Wire.png(9), strange),
        Wire.completed(Wire.png(10), { ...strange, revised_prompt: 7 })
      ]).pipe(Effect.provide(Logger.layer([logger])), Effect.provideService(References.MinimumLogLevel, "Debug"))
      expect({ ...partial }).toEqual({
        _tag: "PartialImage",
        bytes: Wire.png(9),
        partialImageIndex: 0,
        partialImages: 1
      })
      expect({ ...completed }).toEqual({ _tag: "Completed", bytes: Wire.png(10) })
      expect(logged.length).toBe(2)
      for (const name of ["created_at", "size", "quality", "background", "output_format", "usage", "revised_prompt"]) {
        expect(logged[1]).toContain(name)
      }
      expect(logged[1]).toContain("Debug")
    })
  )

  it("can be constructed, and prints its size and type", () => {
    const made = [
      new PartialImage({ bytes: Wire.png(12_000_000), partialImageIndex: 0, partialImages: 1 }),
      new Completed({ bytes: Wire.png(12_000_000) })
    ]
    expect(made.map(({ _tag }) => _tag)).toEqual(["PartialImage", "Completed"])
    for (const event of made) {
      for (const text of [String(event), JSON.stringify(event), inspect(event), inspect({ deeper: [event] })]) {
        expect(text).toContain("image/png, 12000000 bytes")
        expect(text.length).toBeLessThan(1_000)
      }
    }
  })

  it("is encoded as JSON and decoded again", () => {
    for (const wire of [Wire.partial(1, Wire.png(5), settings), Wire.completed(Wire.png(6), { usage: Wire.usage })]) {
      const event = Schema.decodeUnknownSync(ImageGenStreamEvent.Json)(wire)
      expect(Schema.encodeSync(ImageGenStreamEvent.Json)(event)).toEqual(wire)
    }
  })

  it("is encoded as a server-sent event, byte by byte, without the fields that its JSON on the wire does not have", () => {
    const partial = new PartialImage({
      bytes: new Uint8Array([1, 2, 3]),
      partialImageIndex: 2,
      partialImages: 3,
      outputFormat: "webp"
    })
    expect(ImageGenStreamEvent.toServerSentEvent(partial)).toBe(
      "event: image_generation.partial_image\n" +
        'data: {"b64_json":"AQID","output_format":"webp","type":"image_generation.partial_image","partial_image_index":2}\n\n'
    )
    const completed = new Completed({
      bytes: new Uint8Array([0xfb, 0xff]),
      revisedPrompt: "two\nlines",
      createdAt: DateTime.makeUnsafe(1_760_000_000_000),
      usage: { inputTokens: 1, outputTokens: 2, totalTokens: 3 },
      requestId: "req-1",
      rateLimit: { remaining: 3 }
    })
    const lines = ImageGenStreamEvent.toServerSentEvent(completed).split("\n")
    expect(lines.toSpliced(1, 1)).toEqual(["event: image_generation.completed", "", ""])
    expect(JSON.parse(lines[1]?.replace(/^data: /, "") ?? "")).toEqual({
      type: "image_generation.completed",
      b64_json: "+/8=",
      revised_prompt: "two\nlines",
      created_at: 1_760_000_000,
      usage: { input_tokens: 1, output_tokens: 2, total_tokens: 3 }
    })
  })

  it.effect.each([
    ["of one piece", 100],
    ["of several pieces", 500_000],
    ["that fills its pieces", 2 * 192 * 1024]
  ] as const)(
    "an image %s is encoded in pieces of its server-sent event, whatever its other texts contain",
    ([, size]) =>
      Effect.gen(function* () {
        const image = Wire.png(size)
        const revisedPrompt = 'otters\u2028🦦 "b64_json":""'
        const texts = { revisedPrompt, background: '"b64_json":""' }
        const event = new Completed({ bytes: image, ...texts })
        const text = ImageGenStreamEvent.toServerSentEvent(event)
        const read = (start: number, length: number) => Effect.succeed(image.slice(start, start + length))
        const withoutBytes = new Completed({ bytes: new Uint8Array(), ...texts })
        for (const { bytes, length } of [
          ImageGenStreamEvent.toServerSentEventPieces(event),
          ImageGenStreamEvent.toServerSentEventPieces(withoutBytes, { size, read })
        ]) {
          const pieces = yield* Stream.runCollect(bytes)
          const encoded = Buffer.concat(pieces)
          expect(encoded.toString()).toBe(text)
          expect(encoded.length).toBe(length)
          expect(Math.max(...pieces.map((piece) => piece.length))).toBeLessThan(300_000)
        }
        const data: unknown = JSON.parse(text.split("data: ")[1] ?? "")
        expect(data).toMatchObject({ b64_json: Buffer.from(image).toString("base64"), revised_prompt: revisedPrompt })
      })
  )

  it.effect("is the same event after encoding as a server-sent event and decoding", () =>
    Effect.gen(function* () {
      const events = [
        new PartialImage({ bytes: Wire.png(9), partialImageIndex: 0, partialImages: 1 }),
        new Completed({ bytes: Wire.png(1_000_000), revisedPrompt: "an otter" })
      ]
      const text = events.map(ImageGenStreamEvent.toServerSentEvent).join("")
      const read = yield* Stream.runCollect(Images.generateStream({ prompt: "a sea otter" })).pipe(
        Effect.provide(Service.make(() => Wire.stream([text])).layer)
      )
      expect(read).toEqual(events)
    })
  )

  it("accepts the types of the official SDK", () => {
    type Wire = typeof ImageGenStreamEvent.Json.schema.Encoded
    type Sent = Gradient.ImageGenStreamEvent
    type Member<Union extends { type: string }, Type> = Omit<Extract<Union, { type: Type }>, "b64_json">
    expectTypeOf<Member<Sent, "image_generation.partial_image">>().toExtend<
      Member<Wire, "image_generation.partial_image">
    >()
    expectTypeOf<Member<Sent, "image_generation.completed">>().toExtend<Member<Wire, "image_generation.completed">>()
    expectTypeOf<Wire["b64_json"]>().toEqualTypeOf<Uint8Array>()
  })
})
