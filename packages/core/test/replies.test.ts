import { describe, expect, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import * as FetchHttpClient from "effect/http/FetchHttpClient"
import * as Layer from "effect/Layer"
import * as Stream from "effect/Stream"
import { createServer, type ServerResponse } from "node:http"
import { GradientClient, type GradientError, Images, RetryPolicy } from "../src/index.ts"
import * as Service from "./support/Service.ts"
import * as Wire from "./support/Wire.ts"

const prompt = "a sea otter"
const model = "a model without rules"

/** The body and the content type of a reply with status 200. */
interface Reply {
  readonly body: string
  readonly type?: string | undefined
}

const answer = ({ body, type }: Reply) => {
  const headers = new Headers({ "x-request-id": "req-1", "ratelimit-remaining": "3" })
  if (type !== undefined) headers.set("content-type", type)
  return Service.make(() => new Response(Wire.body([body]), { headers }), { retry: RetryPolicy.eager })
}

/**
 * Both functions of `Images`. Each makes one call to a service with this reply, and returns the bytes of the complete
 * images.
 */
const functions = {
  generate: (reply: Reply) => {
    const { asked, layer } = answer(reply)
    return Images.generate({ prompt, model, n: 3 }).pipe(
      Effect.map(({ data }) => data.map(({ bytes }) => bytes)),
      Effect.provide(layer),
      Effect.ensuring(Effect.sync(() => expect(asked.length).toBe(1)))
    )
  },
  generateStream: (reply: Reply) => {
    const { asked, layer } = answer(reply)
    return Stream.runCollect(Images.generateStream({ prompt, model, n: 3 })).pipe(
      Effect.map((events) => events.filter(({ _tag }) => _tag === "Completed").map(({ bytes }) => bytes)),
      Effect.provide(layer),
      Effect.ensuring(Effect.sync(() => expect(asked.length).toBe(1)))
    )
  }
}

const both = Object.entries(functions).map(([name, call]) => ({ name, call }))
const types = [undefined, "application/json", "text/event-stream", "text/html", "application/octet-stream", "nonsense"]

const json = JSON.stringify(Wire.response([Wire.png(20), Wire.png(30)]))
const events = [Wire.partial(0), Wire.completed(Wire.png(20)), Wire.partial(0), Wire.completed(Wire.png(30))]
  .map(Wire.event)
  .join("")

describe.each(both)("a reply with status 200 to $name", ({ call, name }) => {
  const cases = types.flatMap((type) =>
    ["", "\uFEFF", " \r\n\t", "\uFEFF\n"].map((start) => ({ type, start, shown: JSON.stringify(start) }))
  )

  it.effect.each(cases)("is recognised as JSON by its first byte: $type, after $shown", ({ start, type }) =>
    Effect.gen(function* () {
      expect(yield* call({ body: start + json, type })).toEqual([Wire.png(20), Wire.png(30)])
    })
  )

  it.effect.each(cases)("is recognised as an event stream by its first line: $type, after $shown", ({ start, type }) =>
    Effect.gen(function* () {
      for (const before of ["", ": ping\n\n", "retry: 3\n", "data\n\n", "junk\n\n", "{vent: a damaged line\n", "[\n"]) {
        expect(yield* call({ body: start + before + events, type })).toEqual([Wire.png(20), Wire.png(30)])
      }
    })
  )

  it.effect.each([
    { what: "a page", body: "<!doctype html><html><head><title>Welcome &amp; hello</title>", words: "Welcome & hello" },
    { what: "a page without a title", body: "<html><body><h1>It works</h1></body></html>", words: "It works" },
    { what: "a page with a line like an event", body: "<html>\ndata: 7\n\n</html>", words: "data: 7" },
    { what: "plain text", body: "upstream is not available\n", words: 'not JSON: \\"upstream is not available' },
    { what: "null", body: "null", words: 'not an object: \\"null' },
    { what: "a string", body: '"queued"', words: "not an object" },
    { what: "a number", body: " 7 ", words: 'not an object: \\"7' },
    { what: "a list", body: "[1]", words: "not an object" },
    { what: "an object without data", body: '{"status":"queued"}', words: "the reply has no images: " },
    { what: "words without data", body: '{"detail":"Come back later"}', words: "Come back later" },
    { what: "words beside empty data", body: '{"data":null,"message":"Come back later"}', words: "Come back later" },
    { what: "an empty list", body: '{"created":1,"data":[]}', words: "the reply has no images" },
    { what: "the key", body: `your key is ${Service.key}`, words: "your key is <redacted>" }
  ])("$what is refused once, with its first words", ({ body, words }) =>
    Effect.gen(function* () {
      for (const type of types) {
        const reason = yield* Service.failsWith("InvalidResponseError")(call({ body, type }))
        expect(JSON.stringify(reason.message)).toContain(words)
        expect(reason.message).not.toContain(Service.key)
        expect(reason).toMatchObject({ status: 200, mayHaveBeenCharged: true, isRetryable: false })
      }
    })
  )

  it.effect.each([
    { body: { error: { message: "too fast", code: 429 } }, tag: "RateLimitError" },
    { body: { error: [{ message: "no credit", code: "insufficient_quota" }] }, tag: "QuotaExceededError" },
    { body: { errors: [{ message: "too fast", code: "rate_limit_exceeded" }] }, tag: "RateLimitError" },
    { body: { id: "too_many_requests", message: "too fast" }, tag: "RateLimitError" },
    { body: [{ error: { message: "refused", code: "moderation_blocked" } }], tag: "ContentPolicyError" }
  ])("$body is the service's error", ({ body, tag }) =>
    Effect.gen(function* () {
      const data = JSON.stringify(body)
      const bodies = [data, `data: ${data}\n\n`, `event: ping\ndata: ${data}\n\n`, `event: error\ndata: ${data}`]
      for (const text of bodies) {
        for (const type of types) {
          const { layer } = Service.make(
            () => new Response(text, type === undefined ? {} : { headers: { "content-type": type } }),
            { retry: RetryPolicy.none }
          )
          const run: Effect.Effect<unknown, GradientError.GradientError, Images.Images> =
            name === "generate" ? Images.generate({ prompt }) : Stream.runDrain(Images.generateStream({ prompt }))
          const reason = yield* Service.reasonOf(run.pipe(Effect.provide(layer)))
          expect(reason._tag).toBe(tag)
          expect(reason.message).toMatch(/too fast|no credit|refused/)
        }
      }
    })
  )
})

describe("generate with an event stream as the reply", () => {
  const generate = (text: string | ReadonlyArray<string>, n = 1, ending: Wire.Ending = "closes") =>
    Images.generate({ prompt, model, n }, { retry: RetryPolicy.none }).pipe(
      Effect.provide(
        Service.make(() => Wire.stream([text].flat(), ending, { "x-request-id": "req-1", "ratelimit-remaining": "3" }))
          .layer
      )
    )

  it.effect("returns a response of the completed images", () =>
    Effect.gen(function* () {
      const settings = { created_at: 1_700_000_000, size: "auto", quality: "low", output_format: "png" }
      const first = Wire.completed(Wire.png(20), { ...settings, usage: Wire.usage, revised_prompt: "an otter" })
      const second = Wire.completed(Wire.png(30), { ...settings, background: "opaque" })
      const response = yield* generate([Wire.partial(0), first, second].map(Wire.event), 2)
      expect({ ...response, data: undefined, created: undefined }).toEqual({
        size: "auto",
        quality: "low",
        outputFormat: "png",
        background: "opaque",
        usage: {
          inputTokens: 10,
          outputTokens: 1000,
          totalTokens: 1010,
          inputTokensDetails: { textTokens: 8, imageTokens: 2 }
        },
        requestId: "req-1",
        rateLimit: { remaining: 3 }
      })
      expect(response.created.epochMilliseconds).toBe(1_700_000_000_000)
      expect(response.data.map((image) => ({ ...image }))).toEqual([
        { bytes: Wire.png(20), outputFormat: "png", revisedPrompt: "an otter" },
        { bytes: Wire.png(30), outputFormat: "png" }
      ])
    })
  )

  it.effect("carries every completed image if it fails", () =>
    Effect.gen(function* () {
      const done = [Wire.completed(Wire.png(20)), Wire.completed(Wire.png(30))].map(Wire.event)
      const half = Wire.event(Wire.partial(0, Wire.png(9)))
      const error = `event: error\ndata: {"error":{"code":"insufficient_quota"}}\n\n`
      const address = `data: {"type":"image_generation.completed","url":"https://images.example/3"}\n\n`
      for (const [end, images, ending] of [
        [half, 3, "closes"],
        [half, 3, new Error("reset")],
        [error, 2, "closes"],
        [address, 2, "closes"],
        ["data: {oops\n\n", 2, "hangs"]
      ] as const) {
        const reason = yield* Service.reasonOf(generate([...done, end], 3, ending))
        expect(reason.images.map(({ bytes }) => bytes.length)).toEqual([20, 30, 9].slice(0, images))
      }
    })
  )
})

describe("a stream with an image that was sent as a URL", () => {
  const address = { type: "image_generation.completed", url: "https://images.example/otter.png" }
  const run = (parts: ReadonlyArray<object & { readonly type: string }>, n = 1) =>
    Stream.runDrain(Images.generateStream({ prompt, model, n })).pipe(
      Service.failsWith("InvalidResponseError"),
      Effect.provide(Service.make(() => Wire.stream(parts.map(Wire.event)), { retry: RetryPolicy.eager }).layer)
    )

  it.effect("fails with the URL and the last partial image", () =>
    Effect.gen(function* () {
      const reason = yield* run([Wire.partial(0, Wire.png(9)), address])
      expect(reason.urls).toEqual([address.url])
      expect(reason.images.map(({ bytes }) => bytes)).toEqual([Wire.png(9)])
      expect(reason.message).toContain(address.url)
    })
  )

  it.effect("fails with the other images and every URL", () =>
    Effect.gen(function* () {
      const reason = yield* run([address, Wire.completed(Wire.png(20)), { ...address, url: `${address.url}2` }], 3)
      expect(reason.urls).toEqual([address.url, `${address.url}2`])
      expect(reason.images.map(({ bytes }) => bytes)).toEqual([Wire.png(20)])
    })
  )
})

describe("a stream of notes without an image", () => {
  it.effect("ends with the words of the last note", () =>
    Effect.gen(function* () {
      const notes = ['{"message":"Position 2"}', '{"detail":"Come back later"}', '{"progress":1}']
      const text = notes.map((note) => `event: note\ndata: ${note}\n\n`)
      const reason = yield* Stream.runDrain(Images.generateStream({ prompt })).pipe(
        Service.failsWith("IncompleteStreamError"),
        Effect.provide(Service.make(() => Wire.stream(text), { retry: RetryPolicy.none }).layer)
      )
      expect(reason.message).toContain("the last message in the stream: Come back later")
    })
  )
})

describe("over a socket", () => {
  /** Makes a call to an HTTP server on this machine, which replies by calling `write`. */
  const served = <A, E>(write: (response: ServerResponse) => void, call: Effect.Effect<A, E, Images.Images>) =>
    Effect.gen(function* () {
      const server = createServer((request, response) => {
        request.resume().on("end", () => write(response))
      })
      yield* Effect.callback<void>((resume) => {
        server.listen(0, "127.0.0.1", () => resume(Effect.void))
      })
      yield* Effect.addFinalizer(() => Effect.sync(() => server.close()))
      const address = server.address()
      const port = typeof address === "object" && address !== null ? address.port : 0
      const layer = Images.layer.pipe(
        Layer.provide(GradientClient.layer({ baseUrl: `http://127.0.0.1:${port}/v1`, retry: RetryPolicy.none })),
        Layer.provide(FetchHttpClient.layer)
      )
      return yield* Effect.provide(call, layer)
    }).pipe(Effect.scoped)

  const completed = Wire.event(Wire.completed(Wire.png(40_000)))
  const picture = Stream.runCollect(Images.generateStream({ prompt })).pipe(Effect.map((all) => all.at(-1)?.bytes))

  it.live.each([
    { what: "closes after the line", text: completed.slice(0, -1), breaks: false },
    { what: "breaks after the line", text: completed.slice(0, -1), breaks: true },
    { what: "closes after the JSON", text: completed.trimEnd(), breaks: false },
    { what: "breaks after the JSON", text: completed.trimEnd(), breaks: true }
  ])("a stream that $what of Completed ends with it", ({ breaks, text }) =>
    Effect.gen(function* () {
      const write = (response: ServerResponse) => {
        response.writeHead(200, { "content-type": "text/event-stream" })
        response.write(text, () => {
          if (breaks) setTimeout(() => response.destroy(), 20)
          else response.end()
        })
      }
      expect(yield* served(write, picture)).toEqual(Wire.png(40_000))
    })
  )

  it.live("a reply without a content type is recognised by its bytes", () =>
    Effect.gen(function* () {
      const write = (response: ServerResponse) => {
        response.writeHead(200)
        response.end(JSON.stringify(Wire.response([Wire.png(40_000)])))
      }
      expect(yield* served(write, picture)).toEqual(Wire.png(40_000))
    })
  )
})
