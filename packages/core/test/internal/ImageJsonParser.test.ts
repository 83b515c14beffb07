import { describe, expect, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import * as Stream from "effect/Stream"
import { type GradientClient, type GradientError, Images, RetryPolicy } from "../../src/index.ts"
import * as Service from "../support/Service.ts"
import * as Wire from "../support/Wire.ts"

const prompt = "a sea otter"

const generate = (answer: () => Service.Answer, limits: GradientClient.Options["limits"] = {}) =>
  Images.generate({ prompt }).pipe(Effect.provide(Service.make(answer, { retry: RetryPolicy.none, limits }).layer))

const stream = (answer: () => Service.Answer, limits: GradientClient.Options["limits"] = {}) =>
  Stream.runCollect(Images.generateStream({ prompt })).pipe(
    Effect.provide(Service.make(answer, { retry: RetryPolicy.none, limits }).layer)
  )

/** A reply whose body never ends. A test that reads it to its end would never finish. */
const endless = (start: string, more: string, headers: Record<string, string> = {}) => {
  const piece = new TextEncoder().encode(more.repeat(Math.ceil(10_000 / more.length)))
  let isStarted = false
  const body = new ReadableStream<Uint8Array>({
    pull(controller) {
      controller.enqueue(isStarted ? piece : new TextEncoder().encode(start))
      isStarted = true
    }
  })
  return new Response(body, { headers })
}

const eventStream = { "content-type": "text/event-stream" }

const refused = <A, R>(call: Effect.Effect<A, GradientError.GradientError, R>) =>
  Effect.map(Service.failsWith("InvalidResponseError")(call), ({ message }) => message)

describe("memory used for a hostile server's reply stays within the limits", () => {
  const limits = { imageBytes: 20_000, jsonBytes: 10_000, lineBytes: 5_000 }

  it.effect("an image", () =>
    Effect.gen(function* () {
      for (const more of ["AAAA", "\\u0041", "AAAA ", "\\/"]) {
        expect(yield* refused(generate(() => endless('{"data":[{"b64_json":"', more), limits))).toContain(
          "data[0].b64_json is over 20000 bytes"
        )
        expect(yield* refused(stream(() => endless('data: {"b64_json":"', more, eventStream), limits))).toContain(
          "b64_json is over 20000 bytes"
        )
      }
    })
  )

  it.effect("an image of exactly the limit is within it", () =>
    Effect.gen(function* () {
      for (const imageBytes of [3000, 3001, 3002]) {
        const bytes = new Uint8Array(imageBytes).fill(7)
        const reply = () => Response.json({ created: 1, data: [{ b64_json: Buffer.from(bytes).toString("base64") }] })
        const response = yield* generate(reply, { ...limits, imageBytes })
        expect(response.data[0]?.bytes).toEqual(bytes)
        expect(yield* refused(generate(reply, { ...limits, imageBytes: imageBytes - 1 }))).toContain("is over")
      }
    })
  )

  it.effect("the JSON around the images", () =>
    Effect.gen(function* () {
      for (const [start, more] of [
        ['{"a":"', "x"],
        ["", " "],
        ["", "["],
        ['{"data":[', '{"b64_json":"AAAA"},']
      ] as const) {
        expect(yield* refused(generate(() => endless(start, more), limits))).toContain("over 10000 bytes")
        expect(yield* refused(stream(() => endless(`data: ${start}`, more, eventStream), limits))).toContain(
          "over 10000 bytes"
        )
      }
    })
  )

  it.effect("lines of data that do not end their event", () =>
    Effect.gen(function* () {
      expect(yield* refused(stream(() => endless("", "data\n", eventStream), limits))).toContain("over 10000 bytes")
    })
  )

  it.effect.each([":", "event: ", "id: ", "retry: ", ":\nx"])("a line that starts with %j", (start) =>
    Effect.gen(function* () {
      expect(yield* refused(stream(() => endless(start, "x", eventStream), limits))).toContain(
        "a line is over 5000 bytes"
      )
    })
  )

  it.effect("a text that is not an event stream", () =>
    Effect.gen(function* () {
      expect(yield* refused(stream(() => endless("<html>", "x", eventStream), limits))).toContain("not JSON")
      expect(yield* refused(stream(() => endless("", "x", eventStream), limits))).toContain("not JSON")
      expect(yield* refused(generate(() => endless("", "x"), limits))).toContain("not JSON")
    })
  )

  it.effect("data of unknown events", () =>
    Effect.gen(function* () {
      const start = "event: ping\ndata: "
      expect(yield* refused(stream(() => endless(start, "x", eventStream), limits))).toContain("a line is over")
    })
  )

  it.effect("accepts a reply just within the limits", () =>
    Effect.gen(function* () {
      const bytes = Wire.png(20_000)
      expect((yield* generate(() => Response.json(Wire.response([bytes])), limits)).data[0].bytes).toEqual(bytes)
      expect(yield* refused(generate(() => Response.json(Wire.response([Wire.png(20_001)])), limits))).toContain("over")
      const [event] = yield* stream(() => Wire.stream([Wire.event(Wire.completed(bytes))]), limits)
      expect(event?.bytes).toEqual(bytes)
    })
  )
})

/** A reply with the header `content-length`. */
const sized = (text: string, headers: Record<string, string> = {}) =>
  new Response(text, { headers: { "content-length": String(text.length), ...headers } })

describe("the memory of an image", () => {
  it.effect("contains no earlier data of the process", () =>
    Effect.gen(function* () {
      const bytes = Wire.png(1_000_000)
      const response = yield* generate(() => sized(JSON.stringify(Wire.response([bytes]))))
      const { buffer, byteLength, byteOffset } = response.data[0].bytes
      const rest = new Uint8Array(buffer, byteOffset + byteLength)
      expect(rest.length).toBeGreaterThan(0)
      expect(rest.length).toBeLessThanOrEqual(byteLength / 8)
      expect(rest).toEqual(new Uint8Array(rest.length))
    })
  )
})

// If the work grew with the square of the input, these tests would time out.
describe("the work is linear", () => {
  it.effect("of many tiny images in one chunk", () =>
    Effect.gen(function* () {
      const items = Array.from({ length: 100_000 }, () => '{"b64_json":"iVBORw0KGgoAAAAN"}')
      const text = `{"created":1,"data":[${items.join(",")}]}`
      const response = yield* generate(() => sized(text), { jsonBytes: 20_000_000 })
      expect(response.data.length).toBe(100_000)
    })
  )

  it.effect("of tiny images after a large one", () =>
    Effect.gen(function* () {
      const large = Wire.event(Wire.partial(0, Wire.png(12_000_000)))
      const members = '"b64_json":"iVBORw0KGgoAAAAN",'.repeat(50_000)
      const event = `data: {${members}"type":"image_generation.completed"}\n\n`
      const events = yield* stream(() => Wire.stream([large + event]), { jsonBytes: 20_000_000 })
      expect(events.map(({ bytes }) => bytes.length)).toEqual([12_000_000, 12])
    })
  )

  it.effect("of an image in which every slash is escaped", () =>
    Effect.gen(function* () {
      const text = `{"created":1,"data":[{"b64_json":"${"\\/".repeat(8_000_000)}"}]}`
      const response = yield* generate(() => sized(text))
      expect(Buffer.compare(response.data[0].bytes, new Uint8Array(6_000_000).fill(0xff))).toBe(0)
    })
  )

  it.effect("of an image in which every character is escaped", () =>
    Effect.gen(function* () {
      const text = `{"created":1,"data":[{"b64_json":"${"\\u002f".repeat(2_000_000)}"}]}`
      const response = yield* generate(() => sized(text))
      expect(response.data[0].bytes.length).toBe(1_500_000)
    })
  )

  it.effect("of an image in lines of 76 characters", () =>
    Effect.gen(function* () {
      const text = `{"created":1,"data":[{"b64_json":"${`${"A".repeat(76)}\\n`.repeat(200_000)}"}]}`
      const response = yield* generate(() => sized(text))
      expect(response.data[0].bytes.length).toBe(57 * 200_000)
    })
  )

  it.effect("of a large image in small chunks", () =>
    Effect.gen(function* () {
      const bytes = Wire.png(3_000_000)
      const text = Buffer.from(Wire.event(Wire.completed(bytes)))
      const chunks = Array.from({ length: Math.ceil(text.length / 100) }, (_, at) =>
        text.subarray(at * 100, at * 100 + 100)
      )
      const [event] = yield* stream(() => Wire.stream(chunks))
      expect(Buffer.compare(event?.bytes ?? new Uint8Array(), bytes)).toBe(0)
    })
  )

  it.effect("of many unknown events", () =>
    Effect.gen(function* () {
      const text = "event: ping\ndata: {}\n\n".repeat(300_000) + Wire.event(Wire.completed())
      expect((yield* stream(() => Wire.stream([text]))).length).toBe(1)
    })
  )
})
