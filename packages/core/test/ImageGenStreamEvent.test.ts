import type Gradient from "@digitalocean/gradient"
import { describe, expect, expectTypeOf, it } from "@effect/vitest"
import * as DateTime from "effect/DateTime"
import * as Effect from "effect/Effect"
import * as Schema from "effect/Schema"
import * as Stream from "effect/Stream"
import { inspect } from "node:util"
import { Images, ImageGenStreamEvent, RetryPolicy } from "../src/index.ts"
import * as Service from "./support/Service.ts"
import * as Wire from "./support/Wire.ts"

const { Completed, PartialImage } = ImageGenStreamEvent

const eventsOf = (events: ReadonlyArray<{ readonly type: string }>, headers: Record<string, string> = {}) =>
  Stream.runCollect(Images.generateStream({ prompt: "a sea otter" }, { retry: RetryPolicy.none })).pipe(
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
  it.effect("has every field of the wire by its name", () =>
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
      expect({ ...partial }).toEqual({ _tag: "PartialImage", bytes: Wire.png(9), partialImageIndex: 2, ...ours })
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

  it.effect("reads null as absent, and ignores what it does not know", () =>
    Effect.gen(function* () {
      const nothing = { created_at: null, background: null, output_format: null, quality: null, size: null, later: {} }
      const [partial, completed] = yield* eventsOf([
        Wire.partial(0, Wire.png(), nothing),
        Wire.completed(Wire.png(), { ...nothing, usage: null, revised_prompt: null, requestId: "forged" })
      ])
      expect({ ...partial }).toEqual({ _tag: "PartialImage", bytes: Wire.png(), partialImageIndex: 0 })
      expect({ ...completed }).toEqual({ _tag: "Completed", bytes: Wire.png() })
    })
  )

  it.effect.each([
    {
      what: "without its index",
      event: Wire.partial(0, Wire.png(), { partial_image_index: undefined }),
      path: "partial_image_index"
    },
    { what: "with half an index", event: Wire.partial(0.5), path: "partial_image_index" },
    { what: "with a negative index", event: Wire.partial(-1), path: "partial_image_index" },
    { what: "without an image", event: { type: "image_generation.completed" }, path: "b64_json" },
    { what: "made at an absurd time", event: Wire.completed(Wire.png(), { created_at: 1e300 }), path: "created_at" },
    { what: "of an absurd size", event: Wire.completed(Wire.png(), { size: {} }), path: "size" },
    { what: "with long nonsense", event: Wire.completed(Wire.png(), { usage: "x".repeat(900_000) }), path: "usage" }
  ])("one $what is refused, with the path and few words", ({ event, path }) =>
    Effect.gen(function* () {
      const reason = yield* Service.failsWith("InvalidResponseError")(eventsOf([event]))
      expect(reason.message).toContain(`["${path}"]`)
      expect(reason.message).toContain(event.type)
      expect(reason.message.length).toBeLessThan(5_000)
    })
  )

  it("can be made by hand, and prints its size and type", () => {
    const made = [
      new PartialImage({ bytes: Wire.png(12_000_000), partialImageIndex: 0 }),
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

  it("is written as JSON and read back", () => {
    for (const wire of [Wire.partial(1, Wire.png(5), settings), Wire.completed(Wire.png(6), { usage: Wire.usage })]) {
      const event = Schema.decodeUnknownSync(ImageGenStreamEvent.Json)(wire)
      expect(Schema.encodeSync(ImageGenStreamEvent.Json)(event)).toEqual(wire)
    }
  })

  it("is written as a server-sent event, byte by byte, without what came from the headers", () => {
    const partial = new PartialImage({ bytes: new Uint8Array([1, 2, 3]), partialImageIndex: 2, outputFormat: "webp" })
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

  it.effect("written as server-sent events is read back as the same events", () =>
    Effect.gen(function* () {
      const events = [
        new PartialImage({ bytes: Wire.png(9), partialImageIndex: 0 }),
        new Completed({ bytes: Wire.png(1_000_000), revisedPrompt: "an otter" })
      ]
      const text = events.map(ImageGenStreamEvent.toServerSentEvent).join("")
      const read = yield* Stream.runCollect(Images.generateStream({ prompt: "a sea otter" })).pipe(
        Effect.provide(Service.make(() => Wire.stream([text])).layer)
      )
      expect(read).toEqual(events)
    })
  )

  it("is read from what the SDK says is sent", () => {
    type Wire = typeof ImageGenStreamEvent.Lifted.Encoded
    type Sent = Gradient.ImageGenStreamEvent
    type Member<Union extends { type: string }, Type> = Omit<Extract<Union, { type: Type }>, "b64_json">
    expectTypeOf<Member<Sent, "image_generation.partial_image">>().toExtend<
      Member<Wire, "image_generation.partial_image">
    >()
    expectTypeOf<Member<Sent, "image_generation.completed">>().toExtend<Member<Wire, "image_generation.completed">>()
    expectTypeOf<Wire["b64_json"]>().toEqualTypeOf<Uint8Array>()
  })
})
