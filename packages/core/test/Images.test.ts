import { describe, expect, expectTypeOf, it } from "@effect/vitest"
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as Fiber from "effect/Fiber"
import * as Headers from "effect/http/Headers"
import * as HttpClient from "effect/http/HttpClient"
import * as References from "effect/References"
import * as Logger from "effect/Logger"
import * as Schedule from "effect/Schedule"
import type * as Scope from "effect/Scope"
import * as Stream from "effect/Stream"
import * as TestClock from "effect/testing/TestClock"
import * as Tracer from "effect/Tracer"
import { inspect } from "node:util"
import {
  type GradientClient,
  type GradientError,
  type ImageGenerateParams,
  type ImageGenerateResponse,
  Images,
  type ImageGenStreamEvent,
  RetryPolicy
} from "../src/index.ts"
import * as Service from "./support/Service.ts"
import * as Wire from "./support/Wire.ts"

const prompt = "a sea otter"
const none: GradientClient.Options = { retry: RetryPolicy.none }

type Event = ImageGenStreamEvent.ImageGenStreamEvent

/** The events of `generateStream` if the service replies with `answer`. */
const eventsOf = (
  answer: () => Service.Answer,
  params: ImageGenerateParams.ImageGenerateParamsStreaming = { prompt }
) => Stream.runCollect(Images.generateStream(params)).pipe(Effect.provide(Service.make(answer, none).layer))

const tagsOf = (events: ReadonlyArray<Event>) => events.map(({ _tag }) => _tag)

/** The reason with which `generateStream` fails if the service replies with `answer`. */
const failureOf = (answer: () => Service.Answer) => Service.reasonOf(eventsOf(answer))

const partial = (index: number) => Wire.event(Wire.partial(index, Wire.png(20 + index, index)))
const completed = Wire.event(Wire.completed(Wire.png(40)))

describe("Images", () => {
  it("has these types", () => {
    expectTypeOf(Images.generate).toEqualTypeOf<
      (
        params: ImageGenerateParams.ImageGenerateParamsNonStreaming,
        options?: GradientClient.RequestOptions
      ) => Effect.Effect<ImageGenerateResponse.ImageGenerateResponse, GradientError.GradientError, Images.Images>
    >()
    expectTypeOf(Images.generateStream).toEqualTypeOf<
      (
        params: ImageGenerateParams.ImageGenerateParamsStreaming,
        options?: GradientClient.RequestOptions
      ) => Stream.Stream<ImageGenStreamEvent.ImageGenStreamEvent, GradientError.GradientError, Images.Images>
    >()
    expectTypeOf<Effect.Services<ReturnType<typeof Images.generate>>>().not.toExtend<Scope.Scope>()
  })

  describe("generate", () => {
    it.effect("returns the response", () =>
      Effect.gen(function* () {
        const service = Service.make(() => Response.json(Wire.response([Wire.png(20), Wire.png(30)])))
        const response = yield* Images.generate({ prompt }).pipe(Effect.provide(service.layer))
        expect(response.data.map(({ bytes }) => bytes)).toEqual([Wire.png(20), Wire.png(30)])
        expect(service.asked[0]?.signal.aborted).toBe(false)
      })
    )

    it.effect("returns at once when the JSON is closed, and closes a body that does not end", () =>
      Effect.gen(function* () {
        const body = Wire.endless([JSON.stringify(Wire.response())])
        const service = Service.make(() => new Response(body.readable))
        const response = yield* Images.generate({ prompt }).pipe(Effect.provide(service.layer))
        expect(response.data.length).toBe(1)
        expect(body.isCancelled()).toBe(true)
        expect(service.asked[0]?.signal.aborted).toBe(false)
      })
    )

    it.effect("ignores bytes after the JSON, for every chunking", () =>
      Effect.gen(function* () {
        const text = `${JSON.stringify(Wire.response())}\n]}{"error":`
        for (const parts of [[text], [...text]]) {
          const service = Service.make(() => new Response(Wire.body(parts)))
          const response = yield* Images.generate({ prompt }).pipe(Effect.provide(service.layer))
          expect(response.data.length).toBe(1)
        }
      })
    )

    it.effect("fails if the body ends before the JSON is complete", () =>
      Effect.gen(function* () {
        const text = JSON.stringify(Wire.response())
        for (let length = 0; length < text.length; length++) {
          const service = Service.make(() => new Response(text.slice(0, length)), none)
          const reason = yield* Images.generate({ prompt }).pipe(Service.reasonOf, Effect.provide(service.layer))
          expect(reason).toMatchObject({ _tag: "InvalidResponseError", mayHaveBeenCharged: true })
        }
      })
    )

    it.effect("aborts the request when it is interrupted", () =>
      Effect.gen(function* () {
        for (const answer of [(): Service.Answer => Effect.never, () => new Response(Wire.body(["{"], "hangs"))]) {
          const service = Service.make(answer)
          const fiber = yield* Images.generate({ prompt }).pipe(Effect.provide(service.layer), Effect.forkChild)
          yield* Service.settle
          expect(service.asked[0]?.signal.aborted).toBe(false)
          yield* Fiber.interrupt(fiber)
          expect(service.asked[0]?.signal.aborted).toBe(true)
        }
      })
    )
  })

  describe("generateStream", () => {
    it.effect("emits each partial image, then Completed", () =>
      Effect.gen(function* () {
        const events = yield* eventsOf(() => Wire.stream([partial(0), partial(1), completed]))
        expect(tagsOf(events)).toEqual(["PartialImage", "PartialImage", "Completed"])
        expect(events.map(({ bytes }) => bytes)).toEqual([Wire.png(20, 0), Wire.png(21, 1), Wire.png(40)])
      })
    )

    it.effect("emits an image as soon as it has arrived", () =>
      Effect.gen(function* () {
        const { response, write } = Wire.openStream()
        const service = Service.make(() => response)
        const seen: Array<string> = []
        const fiber = yield* Images.generateStream({ prompt }).pipe(
          Stream.runForEach((event) => Effect.sync(() => seen.push(event._tag))),
          Effect.provide(service.layer),
          Effect.forkChild
        )
        yield* Service.settle
        write(partial(0))
        yield* Service.settle
        expect(seen).toEqual(["PartialImage"])
        write(completed)
        yield* Service.settle
        expect(seen).toEqual(["PartialImage", "Completed"])
        yield* Service.join(fiber)
      })
    )

    it.effect("sends nothing until it runs, and one request for each run", () =>
      Effect.gen(function* () {
        const service = Service.make(() => Wire.stream([completed]))
        const stream = Images.generateStream({ prompt }).pipe(Stream.provide(service.layer))
        expect(service.asked.length).toBe(0)
        yield* Stream.runDrain(stream)
        yield* Stream.runDrain(stream)
        expect(service.asked.length).toBe(2)
      })
    )

    it.effect("ends the request when the consumer takes only a few events", () =>
      Effect.gen(function* () {
        const service = Service.make(() => Wire.stream([partial(0), partial(1)], "hangs"))
        const events = yield* Images.generateStream({ prompt }).pipe(
          Stream.take(1),
          Stream.runCollect,
          Effect.provide(service.layer)
        )
        expect(events.length).toBe(1)
        expect(service.asked[0]?.signal.aborted).toBe(true)
      })
    )

    it.effect("ends the request when it is interrupted", () =>
      Effect.gen(function* () {
        const service = Service.make(() => Wire.stream([partial(0)], "hangs"))
        const fiber = yield* Stream.runDrain(Images.generateStream({ prompt })).pipe(
          Effect.provide(service.layer),
          Effect.forkChild
        )
        yield* Service.settle
        expect(service.asked[0]?.signal.aborted).toBe(false)
        yield* Fiber.interrupt(fiber)
        expect(service.asked[0]?.signal.aborted).toBe(true)
      })
    )

    it.effect("ends at once with Completed, and closes a body that does not end", () =>
      Effect.gen(function* () {
        const body = Wire.endless([completed, partial(1)])
        const service = Service.make(() => new Response(body.readable))
        const events = yield* Stream.runCollect(Images.generateStream({ prompt })).pipe(Effect.provide(service.layer))
        expect(tagsOf(events)).toEqual(["Completed"])
        expect(body.isCancelled()).toBe(true)
        expect(service.asked[0]?.signal.aborted).toBe(false)
      })
    )

    it.effect("emits one Completed for each requested image, or fewer if the stream ends", () =>
      Effect.gen(function* () {
        const params = { prompt, model: "other", n: 2 }
        const both = yield* eventsOf(() => Wire.stream([completed, completed, completed], "hangs"), params)
        expect(tagsOf(both)).toEqual(["Completed", "Completed"])
        expect(tagsOf(yield* eventsOf(() => Wire.stream([completed]), params))).toEqual(["Completed"])
      })
    )

    it.effect("fails if the stream fails after the first of several images", () =>
      Effect.gen(function* () {
        const params = { prompt, model: "other", n: 2 }
        const tagAfter = (service: () => Response) =>
          Images.generateStream(params).pipe(
            Stream.runDrain,
            Effect.flip,
            Effect.map(({ reason }) => reason._tag),
            Effect.provide(Service.make(service).layer)
          )
        expect(yield* tagAfter(() => Wire.stream([completed], new Error("reset")))).toBe("DisconnectedError")
        expect(yield* tagAfter(() => Wire.stream([completed, partial(0)]))).toBe("IncompleteStreamError")
        const error = `event: error\ndata: {"error":{"code":"insufficient_quota"}}\n\n`
        expect(yield* tagAfter(() => Wire.stream([completed, error]))).toBe("QuotaExceededError")
      })
    )

    it.effect("emits one Completed for each image of a JSON reply", () =>
      Effect.gen(function* () {
        const reply = Wire.response([Wire.png(50)], {
          size: "auto",
          quality: "low",
          output_format: "png",
          background: "opaque",
          usage: Wire.usage
        })
        const [event, ...rest] = yield* eventsOf(() => Response.json(reply, { headers: { "x-request-id": "req-1" } }))
        expect(rest).toEqual([])
        expect(event).toMatchObject({
          _tag: "Completed",
          bytes: Wire.png(50),
          size: "auto",
          quality: "low",
          outputFormat: "png",
          background: "opaque",
          usage: { totalTokens: 1010 },
          requestId: "req-1"
        })
        expect(yield* failureOf(() => Response.json({ error: { code: "moderation_blocked" } }))).toMatchObject({
          _tag: "ContentPolicyError",
          mayHaveBeenCharged: false
        })
      })
    )

    it.effect("fails with InvalidResponseError for an HTML page", () =>
      Effect.gen(function* () {
        const page = () => new Response("<html>Welcome</html>", { headers: { "content-type": "text/html" } })
        expect((yield* failureOf(page))._tag).toBe("InvalidResponseError")
      })
    )

    it.effect("recognises an event stream without a content type", () =>
      Effect.gen(function* () {
        const bare = () => new Response(Wire.body([completed]))
        expect(tagsOf(yield* eventsOf(bare))).toEqual(["Completed"])
      })
    )

    describe("fails when it ends before Completed", () => {
      it.effect.each([
        { what: "nothing", parts: [] },
        { what: "a comment", parts: [": ping\n\n"] },
        { what: "a partial", parts: [partial(0)] },
        { what: "[DONE]", parts: [partial(0), "data: [DONE]\n\n", completed] },
        { what: "a Completed whose JSON is not closed", parts: [completed.trimEnd().slice(0, -1)] },
        { what: "half an image after a Completed", parts: [completed, completed.slice(0, 110)], n: 2 },
        { what: "half an event after a Completed", parts: [completed, completed.trimEnd().slice(0, -1)], n: 2 },
        { what: "half an image", parts: [completed.slice(0, 70)] }
      ])("after $what", ({ n, parts }) =>
        Effect.gen(function* () {
          const reason = yield* Service.reasonOf(eventsOf(() => Wire.stream(parts), { prompt, n }))
          expect(reason).toMatchObject({ _tag: "IncompleteStreamError", mayHaveBeenCharged: true })
        })
      )
    })

    describe("understands the event stream", () => {
      const data = JSON.stringify(Wire.completed(Wire.png(40)))
      const empty = { type: "image_generation.partial_image", b64_json: "" }
      const nameless = JSON.stringify({ ...Wire.completed(Wire.png(40)), type: undefined })
      it.effect.each([
        { what: "with LF", text: completed },
        { what: "with CR", text: completed.replaceAll("\n", "\r") },
        { what: "with CRLF", text: completed.replaceAll("\n", "\r\n") },
        { what: "after a byte order mark", text: `\uFEFF${completed}` },
        { what: "after a byte order mark and a blank line", text: `\uFEFF\n${completed}` },
        { what: "without a name", text: `data: ${data}\n\n` },
        { what: "by its name alone", text: `event: image_generation.completed\ndata: ${nameless}\n\n` },
        { what: "named message", text: `event: message\ndata: ${data}\n\n` },
        { what: "without a space after the colon", text: `event:image_generation.completed\ndata:${nameless}\n\n` },
        { what: "with the name after the data", text: `data: ${nameless}\nevent: image_generation.completed\n\n` },
        { what: "among comments", text: `: ping\n\n:\n${completed}` },
        { what: "with retry and id", text: `retry: 10\nid: 1\n${completed}` },
        { what: "after fields that nobody knows", text: `junk\nunheard: of\n${completed}` },
        { what: "after empty events", text: `data\n\ndata:\n\nevent: x\n\n\n\n${completed}` },
        { what: "after an event of an unknown name", text: `event: ping\ndata: {"b64_json":"?"\n\n${completed}` },
        { what: "after an event of an unknown type", text: `data: {"type":"later"}\n\n${completed}` },
        { what: "over several lines", text: `data: ${data.replaceAll(/[,{]/g, "$&\ndata: ")}\n\n` },
        ...[null, false, ""].map((error) => ({
          what: `with an error of ${JSON.stringify(error)}`,
          text: `data: ${JSON.stringify({ ...Wire.completed(Wire.png(40)), error })}\n\n`
        })),
        { what: "after one that a later name passes over", text: `data: ${data}\nevent: ping\n\n${completed}` },
        { what: "after one with a byte order mark of its own", text: `\n\uFEFFdata: ${data}\n\n${completed}` },
        { what: "then [DONE]", text: `${completed}data: [DONE]\n\n` },
        { what: "without its blank line", text: completed.slice(0, -1) },
        { what: "without its line end", text: completed.trimEnd() },
        { what: "with half a line after it", text: `${completed.slice(0, -1)}event: image_gen` },
        { what: "after a partial that cannot be used", text: `${Wire.event(empty)}${completed}` },
        {
          what: "after a partial that is not base64",
          text: `${completed.replace("completed", "partial_image").replace("iVBO", "????").replaceAll("completed", "partial_image")}${completed}`
        },
        { what: "under a name that is not known", text: `event: ping\ndata: ${data}\n\n` },
        { what: "as a response in an event", text: `data: ${JSON.stringify(Wire.response([Wire.png(40)]))}\n\n` }
      ])("$what", ({ text }) =>
        Effect.gen(function* () {
          const bytes = new TextEncoder().encode(text)
          const whole = yield* eventsOf(() => Wire.stream([bytes]))
          const inBytes = yield* eventsOf(() => Wire.stream(Array.from(bytes, (byte) => Uint8Array.of(byte))))
          for (const events of [whole, inBytes]) {
            expect(events.map((event) => [event._tag, event.bytes])).toEqual([["Completed", Wire.png(40)]])
          }
        })
      )

      it.effect("logs a skipped event at debug level", () =>
        Effect.gen(function* () {
          const logged: Array<unknown> = []
          const logger = Logger.make(({ logLevel, message }) => logged.push([logLevel, message]))
          const text = `event: ping\ndata: {}\n\ndata: {"type":"later"}\n\n${completed}`
          yield* eventsOf(() => Wire.stream([text])).pipe(
            Effect.provide(Logger.layer([logger])),
            Effect.provideService(References.MinimumLogLevel, "Debug")
          )
          expect(logged.length).toBe(2)
          expect(inspect(logged)).toContain("ping")
          expect(inspect(logged)).toContain("later")
          expect(inspect(logged)).toContain("Debug")
        })
      )
    })

    it.effect.each([
      { what: "is no JSON", text: "data: {oops\n\n" },
      { what: "has no image", text: 'data: {"type":"image_generation.completed"}\n\n' },
      { what: "has null for an image", text: 'data: {"b64_json":null,"type":"image_generation.completed"}\n\n' },
      { what: "has a number for an image", text: 'data: {"type":"image_generation.completed","b64_json":0}\n\n' },
      { what: "goes on after an image", text: 'data: {"type":"image_generation.completed","b64_json":"AAAA"e0}\n\n' },
      {
        what: "has an image in the URL alphabet",
        text: 'data: {"type":"image_generation.completed","b64_json":"__--"}\n\n'
      },
      {
        what: "has a newline in an image",
        text: 'data: {"type":"image_generation.completed","b64_json":"AA\ndata: AA"}\n\n'
      }
    ])("an event that $what is InvalidResponseError, at once", ({ text }) =>
      Effect.gen(function* () {
        const reason = yield* failureOf(() => Wire.stream([text], "hangs"))
        expect(reason).toMatchObject({ _tag: "InvalidResponseError", mayHaveBeenCharged: true })
        expect(reason.message).toMatch(/b64_json|not JSON/)
      })
    )
  })

  describe("timeouts", () => {
    it.effect.each(["timeout", "idleTimeout"])("refuses a negative %s before anything is sent", (name) =>
      Effect.gen(function* () {
        const service = Service.make(() => Response.json(Wire.response()))
        const reason = yield* Images.generate({ prompt }, { [name]: "-5 seconds" }).pipe(
          Service.failsWith("InvalidParamsError"),
          Effect.provide(service.layer)
        )
        expect(reason.message).toContain(name)
        expect(service.asked).toEqual([])
      })
    )

    it.effect("an error keeps its status if its body stalls", () =>
      Effect.gen(function* () {
        const service = Service.make(() => new Response(Wire.body(["{"], "hangs"), { status: 429 }), none)
        const fiber = yield* Images.generate({ prompt }, { timeout: "2 seconds" }).pipe(
          Service.failsWith("RateLimitError"),
          Effect.provide(service.layer),
          Effect.forkChild
        )
        yield* Service.settle
        yield* Service.advance("5 seconds")
        expect((yield* Service.join(fiber)).mayHaveBeenCharged).toBe(false)
      })
    )

    it.effect("fails if the response does not arrive within timeout", () =>
      Effect.gen(function* () {
        for (const call of [
          Effect.asVoid(Images.generate({ prompt }, { timeout: "3 seconds" })),
          Stream.runDrain(Images.generateStream({ prompt }, { timeout: "3 seconds" }))
        ]) {
          const service = Service.make(() => Effect.never, none)
          const fiber = yield* call.pipe(
            Service.failsWith("RequestTimeoutError"),
            Effect.provide(service.layer),
            Effect.forkChild
          )
          yield* Service.settle
          yield* Service.advance("2999 millis")
          expect(fiber.pollUnsafe()).toBeUndefined()
          yield* Service.advance("1 millis")
          const reason = yield* Service.join(fiber)
          expect(reason).toMatchObject({ phase: "response", mayHaveBeenCharged: true, isRetryable: true })
          expect(service.asked[0]?.signal.aborted).toBe(true)
        }
      })
    )

    it.effect.each([": ping\n", "event: later\ndata: {}\n\n", "\n"])(
      "a stream that is kept open by %j ends at deadline",
      (text) =>
        Effect.gen(function* () {
          const { response, write } = Wire.openStream()
          const service = Service.make(() => response, none)
          const fiber = yield* Stream.runDrain(Images.generateStream({ prompt }, { deadline: "1 minute" })).pipe(
            Service.failsWith("RequestTimeoutError"),
            Effect.provide(service.layer),
            Effect.forkChild
          )
          yield* Service.settle
          write(partial(0))
          for (let second = 0; second < 59; second++) {
            write(text)
            yield* Service.advance("1 second")
          }
          expect(fiber.pollUnsafe()).toBeUndefined()
          yield* Service.advance("1 second")
          const reason = yield* Service.join(fiber)
          expect(reason).toMatchObject({ phase: "deadline", mayHaveBeenCharged: true })
          expect(reason.images.length).toBe(1)
          expect(service.asked[0]?.signal.aborted).toBe(true)
        })
    )

    it.effect("fails if a JSON reply is not complete within timeout, with the complete images", () =>
      Effect.gen(function* () {
        const { response, write } = Wire.openStream()
        const service = Service.make(() => response, none)
        const fiber = yield* Images.generate({ prompt }, { timeout: "10 seconds" }).pipe(
          Service.failsWith("RequestTimeoutError"),
          Effect.provide(service.layer),
          Effect.forkChild
        )
        yield* Service.settle
        write(JSON.stringify(Wire.response([Wire.png(20)])).slice(0, -1))
        for (let second = 0; second < 9; second++) {
          write(" ")
          yield* Service.advance("1 second")
        }
        expect(fiber.pollUnsafe()).toBeUndefined()
        yield* Service.advance("1 second")
        const reason = yield* Service.join(fiber)
        expect(reason).toMatchObject({ phase: "response", mayHaveBeenCharged: true })
        expect(reason.images.map(({ bytes }) => bytes)).toEqual([Wire.png(20)])
      })
    )

    it.effect("a stream does not time out while bytes arrive, including comments", () =>
      Effect.gen(function* () {
        const { response, write } = Wire.openStream()
        const service = Service.make(() => response, none)
        const fiber = yield* Stream.runCollect(
          Images.generateStream({ prompt }, { timeout: "1 second", idleTimeout: "10 seconds" })
        ).pipe(Effect.provide(service.layer), Effect.forkChild)
        yield* Service.settle
        for (let times = 0; times < 20; times++) {
          write(": ping\n\n")
          yield* Service.advance("9 seconds")
          expect(fiber.pollUnsafe()).toBeUndefined()
        }
        write(completed)
        yield* Service.settle
        expect(tagsOf(yield* Service.join(fiber))).toEqual(["Completed"])
      })
    )

    it.effect("fails if no byte arrives for idleTimeout, with the last partial image", () =>
      Effect.gen(function* () {
        const service = Service.make(() => Wire.stream([partial(0)], "hangs"), none)
        const fiber = yield* Stream.runDrain(Images.generateStream({ prompt }, { idleTimeout: "10 seconds" })).pipe(
          Service.failsWith("RequestTimeoutError"),
          Effect.provide(service.layer),
          Effect.forkChild
        )
        yield* Service.settle
        yield* Service.advance("9999 millis")
        expect(fiber.pollUnsafe()).toBeUndefined()
        yield* Service.advance("1 millis")
        const reason = yield* Service.join(fiber)
        expect(reason).toMatchObject({ phase: "idle", mayHaveBeenCharged: true, status: 200 })
        expect(reason.images.map(({ bytes }) => bytes)).toEqual([Wire.png(20, 0)])
        expect(service.asked[0]?.signal.aborted).toBe(true)
      })
    )

    it.effect("a slow consumer never causes a timeout", () =>
      Effect.gen(function* () {
        const service = Service.make(() => Wire.stream([partial(0), partial(1), completed]), none)
        const fiber = yield* Images.generateStream({ prompt }, { idleTimeout: "1 second" }).pipe(
          Stream.tap(() => Effect.sleep("1 hour")),
          Stream.runCollect,
          Effect.provide(service.layer),
          Effect.forkChild
        )
        yield* Service.settle
        for (let hour = 0; hour < 3; hour++) yield* Service.advance("1 hour")
        expect(tagsOf(yield* Service.join(fiber)).length).toBe(3)
      })
    )

    it.effect("default to 10 minutes for the response and 5 between bytes", () =>
      Effect.gen(function* () {
        const phaseAfter = (
          answer: () => Service.Answer,
          minutes: number,
          options: GradientClient.Options = {},
          call: GradientClient.RequestOptions = {}
        ) =>
          Effect.gen(function* () {
            const service = Service.make(answer, { ...none, ...options })
            const fiber = yield* Images.generate({ prompt }, call).pipe(
              Service.failsWith("RequestTimeoutError"),
              Effect.provide(service.layer),
              Effect.forkChild
            )
            yield* Service.settle
            for (let minute = 0; minute < minutes; minute++) yield* Service.advance("1 minute")
            return fiber.pollUnsafe() === undefined ? "waiting" : (yield* Service.join(fiber)).phase
          })
        const silent = () => Effect.never
        const hanging = () => new Response(Wire.body(["{"], "hangs"))
        expect(yield* phaseAfter(silent, 9)).toBe("waiting")
        expect(yield* phaseAfter(silent, 10)).toBe("response")
        expect(yield* phaseAfter(hanging, 4)).toBe("waiting")
        expect(yield* phaseAfter(hanging, 5)).toBe("idle")
        expect(yield* phaseAfter(silent, 2, { timeout: "2 minutes" })).toBe("response")
        expect(yield* phaseAfter(hanging, 1, { idleTimeout: "1 minute" })).toBe("idle")
        expect(yield* phaseAfter(silent, 1, { timeout: "2 minutes" }, { timeout: "1 minute" })).toBe("response")
        expect(yield* phaseAfter(hanging, 1, { idleTimeout: "2 minutes" }, { idleTimeout: "1 minute" })).toBe("idle")
        expect(yield* phaseAfter(hanging, 120, { timeout: "Infinity", idleTimeout: "Infinity" })).toBe("waiting")
      })
    )
  })

  describe("logs and traces", () => {
    /** Runs a call. Returns its Exit, and all spans that it started. */
    const traced = <A, E>(call: Effect.Effect<A, E>) =>
      Effect.gen(function* () {
        const spans: Array<Tracer.NativeSpan> = []
        const tracer = Tracer.make({
          span(options) {
            const span = new Tracer.NativeSpan(options)
            spans.push(span)
            return span
          }
        })
        const exit = yield* call.pipe(Effect.withTracer(tracer), Effect.exit)
        return { spans, exit }
      })

    it.effect("the span of an attempt ends once, with the attempt's outcome", () =>
      Effect.gen(function* () {
        const ends: Array<string> = []
        const tracer = Tracer.make({
          span(options) {
            const span = new Tracer.NativeSpan(options)
            const end = span.end.bind(span)
            span.end = (time, exit) => {
              if (span.name === "Images.attempt") ends.push(exit._tag)
              end(time, exit)
            }
            return span
          }
        })
        const { layer } = Service.make((number) =>
          number === 0
            ? new Response(null, { status: 429, headers: { "retry-after": "0" } })
            : Response.json(Wire.response())
        )
        yield* Images.generate({ prompt }).pipe(Effect.withTracer(tracer), Effect.provide(layer))
        expect(ends).toEqual(["Failure", "Success"])
      })
    )

    it.effect("each attempt has a span", () =>
      Effect.gen(function* () {
        const service = Service.make((number) =>
          number === 0
            ? new Response(null, { status: 429, headers: { "retry-after": "0" } })
            : Response.json(Wire.response())
        )
        const { spans } = yield* traced(Images.generate({ prompt }).pipe(Effect.provide(service.layer)))
        const attempts = spans.filter(({ name }) => name === "Images.attempt")
        expect(attempts.map(({ attributes }) => attributes.get("attempt"))).toEqual([1, 2])
        expect(spans.filter(({ name }) => name === "Images.generate").length).toBe(1)
        expect(service.asked.every(({ headers }) => !("traceparent" in headers) && !("b3" in headers))).toBe(true)
      })
    )

    it.effect("propagateTrace alone decides whether trace headers are sent", () =>
      Effect.gen(function* () {
        for (const propagateTrace of [true, false]) {
          const service = Service.make(() => Response.json(Wire.response()), { propagateTrace })
          yield* traced(
            Images.generate({ prompt }).pipe(
              Effect.provide(service.layer),
              Effect.provideService(HttpClient.TracerPropagationEnabled, !propagateTrace)
            )
          )
          expect("traceparent" in (service.asked[0]?.headers ?? {})).toBe(propagateTrace)
        }
      })
    )

    it.effect("the names of redacted headers are added to those of the application", () =>
      Effect.gen(function* () {
        const names: Array<ReadonlyArray<string | RegExp>> = []
        const service = Service.make(() => Response.json(Wire.response()), {
          transformClient: (client) => ({
            execute: (request) =>
              Effect.andThen(
                Effect.map(Headers.CurrentRedactedNames, (current) => names.push(current)),
                client.execute(request)
              )
          })
        })
        yield* Images.generate({ prompt }).pipe(
          Effect.provide(service.layer),
          Effect.provideService(Headers.CurrentRedactedNames, ["x-own"])
        )
        expect(names[0]?.[0]).toBe("x-own")
        expect(names[0]?.length).toBe(2)
      })
    )

    it.effect("a failed attempt that is retried is logged, and added to the call's span as an event", () =>
      Effect.gen(function* () {
        const logged: Array<unknown> = []
        const logger = Logger.make(({ logLevel, message }) => logged.push([logLevel, message]))
        const service = Service.make((number) =>
          number === 0
            ? new Response(null, { status: 429, headers: { "retry-after-ms": "1234" } })
            : Response.json(Wire.response())
        )
        const fiber = yield* Effect.forkChild(
          traced(
            Images.generate({ prompt }).pipe(Effect.provide(service.layer), Effect.provide(Logger.layer([logger])))
          )
        )
        yield* TestClock.adjust("2 seconds")
        const { spans } = yield* Fiber.join(fiber)
        const events = spans.filter(({ name }) => name === "Images.generate").flatMap((span) => span.events)
        expect(events.map(([name, , attributes]) => [name, attributes])).toEqual([
          ["retry", { attempt: 1, reason: "RateLimitError", delaySeconds: 1.234 }]
        ])
        expect(inspect(logged)).toContain("Attempt 1 failed; retrying in 1.3 s. Too many requests'")
      })
    )

    it.effect("what the service said of a failed attempt is logged", () =>
      Effect.gen(function* () {
        const logged: Array<unknown> = []
        const logger = Logger.make(({ message }) => logged.push(message))
        const service = Service.make((number) =>
          number === 0
            ? Response.json({ error: { message: "slow down" } }, { status: 429, headers: { "retry-after": "1" } })
            : Response.json(Wire.response())
        )
        const fiber = yield* Effect.forkChild(
          Images.generate({ prompt }).pipe(Effect.provide(service.layer), Effect.provide(Logger.layer([logger])))
        )
        yield* TestClock.adjust("2 seconds")
        yield* Fiber.join(fiber)
        expect(inspect(logged)).toContain("Attempt 1 failed; retrying in 1 s. Too many requests: slow down'")
      })
    )

    it.effect("a wait is whole milliseconds for onRetry, and tenths of a second in the log", () =>
      Effect.gen(function* () {
        const logged: Array<unknown> = []
        const logger = Logger.make(({ message }) => logged.push(message))
        const service = Service.make((number) =>
          number === 0 ? new Response(null, { status: 429 }) : Response.json(Wire.response())
        )
        const retry = Schedule.spaced(Duration.nanos(457_228_204n))
        const delays: Array<Duration.Duration> = []
        const onRetry = ({ delay }: GradientClient.RetryEvent) => Effect.sync(() => void delays.push(delay))
        const fiber = yield* Images.generate({ prompt }, { retry, onRetry }).pipe(
          Effect.provide(service.layer),
          Effect.provide(Logger.layer([logger])),
          Effect.forkChild
        )
        yield* TestClock.adjust("1 second")
        yield* Fiber.join(fiber)
        expect(delays.map((delay) => Duration.format(delay))).toEqual(["458ms"])
        expect(inspect(logged)).toContain("Attempt 1 failed; retrying in 0.5 s. ")
      })
    )

    it.effect("a stream and its attempts have spans", () =>
      Effect.gen(function* () {
        const service = Service.make(() => Wire.stream([completed]))
        const { spans } = yield* traced(
          Stream.runDrain(Images.generateStream({ prompt })).pipe(Effect.provide(service.layer))
        )
        const names = spans.map(({ name }) => name)
        expect(names).toContain("Images.generateStream")
        expect(names).toContain("Images.attempt")
        expect(spans.every(({ status }) => status._tag === "Ended")).toBe(true)
      })
    )

    it.effect("spans never contain the prompt", () =>
      Effect.gen(function* () {
        const answers = [() => Response.json(Wire.response()), () => new Response(prompt, { status: 500 })]
        for (const answer of answers) {
          const { spans } = yield* traced(
            Images.generate({ prompt }).pipe(Effect.provide(Service.make(answer, none).layer))
          )
          expect(spans.length).toBeGreaterThan(1)
          for (const { attributes } of spans) expect(inspect([...attributes], { depth: 50 })).not.toContain(prompt)
        }
      })
    )

    it.effect("logs, spans and errors never contain the key, even deeply nested", () =>
      Effect.gen(function* () {
        const broken = Object.assign(new Error("reset", { cause: new Error("deeper") }), { code: "ECONNRESET" })
        const answers: ReadonlyArray<() => Service.Answer> = [
          () => Response.json(Wire.response()),
          () => new Response(null, { status: 401 }),
          () => new Response(null, { status: 500 }),
          () => new Response("{", { status: 200 }),
          () => new Response(Wire.body(["{"], broken)),
          () => broken
        ]
        for (const answer of answers) {
          const service = Service.make(answer, { ...none, headers: { "x-api-key": `${Service.key}-2` } })
          const logs: Array<unknown> = []
          const logger = Logger.make((log) => {
            logs.push(
              inspect(log.message, { depth: 50, showHidden: true }),
              Logger.formatLogFmt.log(log),
              Logger.formatJson.log(log)
            )
          })
          const call = Images.generate({ prompt }).pipe(
            Effect.tapCause((cause) => Effect.logError("the call failed", cause)),
            Effect.tap((response) => Effect.log(response)),
            Effect.provide(service.layer),
            Effect.provide(Logger.layer([logger]))
          )
          const { exit, spans } = yield* traced(call)
          expect(service.asked[0]?.headers["authorization"]).toContain(Service.key)
          expect(logs.length).toBeGreaterThan(0)
          const shown = [
            inspect(exit, { depth: 50, showHidden: true, getters: true }),
            JSON.stringify(exit),
            String(exit),
            ...spans.map((span) => inspect([...span.attributes, ...span.events], { depth: 50 })),
            ...spans.map((span) => inspect(span.status, { depth: 50 })),
            ...logs.map(String)
          ]
          for (const text of shown) expect(text).not.toContain(Service.key)
        }
      })
    )
  })
})
