import { assert, describe, it } from "@effect/vitest"
import { BrowserImages, Reconnect } from "@effect-gradient/browser"
import { type GradientError, Images, type ImageGenStreamEvent } from "@effect-gradient/core"
import { Effect, Fiber, Layer, Stream } from "effect"
import { FetchHttpClient } from "effect/http"
import { TestClock } from "effect/testing"

const b64 = "iVBORw0KGgo="
const partial = (index: number) =>
  `data: {"type":"image_generation.partial_image","b64_json":"${b64}","partial_image_index":${index}}\n\n`
const completed = `data: {"type":"image_generation.completed","b64_json":"${b64}"}\n\n`

/** A response with these server-sent events, after which the stream ends, or breaks with a network error. */
const events = (text: string, end: "ends" | "breaks" = "ends") => {
  const parts = text.split(/(?<=\n\n)/)
  return new Response(
    new ReadableStream({
      pull: (controller) => {
        const part = parts.shift()
        if (part !== undefined && part !== "") controller.enqueue(new TextEncoder().encode(part))
        else if (end === "ends") controller.close()
        else controller.error(new TypeError("network error"))
      }
    }),
    { headers: { "content-type": "text/event-stream" } }
  )
}

const broken = (text: string) => events(text, "breaks")
const offline = () => Promise.reject(new TypeError("Failed to fetch"))
const error = (status: number, code: string) =>
  Response.json({ error: { message: `It is ${code}.`, type: "invalid_request_error", param: null, code } }, { status })

const makeStorage = (): Storage => {
  const items = new Map<string, string>()
  return {
    get length() {
      return items.size
    },
    key: (index) => [...items.keys()][index] ?? null,
    getItem: (key) => items.get(key) ?? null,
    setItem: (key, value) => void items.set(key, value),
    removeItem: (key) => void items.delete(key),
    clear: () => items.clear()
  }
}

/**
 * A gateway that gives these replies one after the other, and then repeats the last one. `page` makes the layer of a
 * page that uses this gateway. The requests are recorded in `asked`.
 */
const gateway = (...replies: ReadonlyArray<() => Response | Promise<Response>>) => {
  const asked: Array<{
    readonly method: string
    readonly id: string
    readonly accept: string
    readonly body: boolean
  }> = []
  const fetch: typeof globalThis.fetch = async (input, init = {}) => {
    const headers = new Headers(init.headers)
    const url = input instanceof Request ? input.url : input.toString()
    asked.push({
      method: init.method ?? "",
      id: headers.get("x-attempt-id") ?? url.slice(url.lastIndexOf("/") + 1),
      accept: headers.get("accept") ?? "",
      body: init.body !== undefined
    })
    const reply = replies[Math.min(asked.length, replies.length) - 1]
    return reply === undefined ? offline() : reply()
  }
  const storage = makeStorage()
  const baseUrl = "http://a.test/v1"
  const page = (reconnect: Reconnect.Options = {}) =>
    Layer.fresh(BrowserImages.layer({ baseUrl, reconnect: { storage, ...reconnect } })).pipe(
      Layer.provideMerge(Layer.succeed(FetchHttpClient.Fetch, fetch))
    )
  return { asked, storage, page, methods: () => asked.map(({ method }) => method) }
}

const stream = Images.generateStream({ prompt: "x", partialImages: 3 })

const given = (
  all: Stream.Stream<ImageGenStreamEvent.ImageGenStreamEvent, GradientError.GradientError, Images.Images>
) => Stream.runCollect(Stream.map(all, (event) => (event._tag === "Completed" ? "completed" : event.partialImageIndex)))

describe("BrowserImages, when the connection breaks", () => {
  it.effect("continues a stream as one, with nothing given twice, and sends the request once", () =>
    Effect.gen(function* () {
      const { asked, methods, page, storage } = gateway(
        () => broken(partial(0) + partial(1)),
        () => broken(partial(1)),
        () => events(partial(2) + completed)
      )
      const running = yield* Effect.forkChild(Effect.provide(given(stream), page()))
      yield* TestClock.adjust("1 minute")
      assert.deepStrictEqual([...(yield* Fiber.join(running))], [0, 1, 2, "completed"])
      assert.deepStrictEqual(methods(), ["POST", "GET", "GET"])
      assert.strictEqual(new Set(asked.map(({ id }) => id)).size, 1)
      assert.deepStrictEqual(
        asked.slice(1).map(({ accept, body }) => [accept, body]),
        [
          ["text/event-stream", false],
          ["text/event-stream", false]
        ]
      )
      assert.strictEqual(storage.length, 0)
    })
  )

  it.effect("asks for the complete response of generate", () =>
    Effect.gen(function* () {
      const { asked, methods, page } = gateway(
        () => offline(),
        () => Response.json({ created: 1, data: [{ b64_json: b64 }] })
      )
      const response = yield* Images.generate({ prompt: "x" }).pipe(Effect.provide(page()))
      assert.strictEqual(response.data.length, 1)
      assert.deepStrictEqual(methods(), ["POST", "GET"])
      assert.strictEqual(asked[1]?.accept, "application/json")
    })
  )

  for (const code of ["not_kept", "not_found"]) {
    it.effect(`fails at once with the first failure if the gateway replies ${code}`, () =>
      Effect.gen(function* () {
        const { methods, page, storage } = gateway(
          () => broken(partial(0)),
          () => error(404, code)
        )
        const failure = yield* stream.pipe(Stream.runDrain, Effect.flip, Effect.provide(page()))
        const plain = gateway(() => broken(partial(0)))
        const expected = yield* stream.pipe(
          Stream.runDrain,
          Effect.flip,
          Effect.provide(BrowserImages.layer({ baseUrl: "http://a.test/v1", reconnect: false })),
          Effect.provide(plain.page())
        )
        assert.strictEqual(failure.message, expected.message)
        assert.isTrue(failure.mayHaveBeenCharged)
        assert.deepStrictEqual(methods(), ["POST", "GET"])
        assert.strictEqual(storage.length, 0)
      })
    )
  }

  it.effect("fails with in_doubt, which may have been charged for, and asks no more", () =>
    Effect.gen(function* () {
      const { methods, page } = gateway(
        () => broken(partial(0)),
        () => error(409, "in_doubt")
      )
      const failure = yield* stream.pipe(Stream.runDrain, Effect.flip, Effect.provide(page()))
      assert.strictEqual(failure.reason.code, "in_doubt")
      assert.isTrue(failure.mayHaveBeenCharged)
      assert.deepStrictEqual(methods(), ["POST", "GET"])
    })
  )

  it.effect("waits longer each time, up to the limit, then fails with the first failure and keeps the id", () =>
    Effect.gen(function* () {
      const { methods, page, storage } = gateway(() => broken(partial(0)), offline)
      const waits: Array<number> = []
      const running = yield* stream.pipe(
        Stream.runDrain,
        Effect.flip,
        Effect.provideService(Reconnect.OnReconnect, ({ delay }) => Effect.sync(() => void waits.push(Number(delay)))),
        Effect.provide(page({ limit: "1 minute" })),
        Effect.forkChild
      )
      yield* TestClock.adjust("2 minutes")
      const failure = yield* Fiber.join(running)
      assert.strictEqual(failure.reason._tag, "DisconnectedError")
      assert.strictEqual(methods().filter((method) => method === "POST").length, 1)
      assert.strictEqual(methods().length, 1 + waits.length)
      assert.strictEqual(waits.length, 8)
      assert.strictEqual(storage.length, 1)
    })
  )

  it.effect("keeps what may be paid for if the caller is not known any more", () =>
    Effect.gen(function* () {
      const { page, storage } = gateway(
        () => broken(partial(0)),
        () => error(401, "invalid_api_key")
      )
      const failure = yield* stream.pipe(Stream.runDrain, Effect.flip, Effect.provide(page()))
      assert.strictEqual(failure.reason._tag, "DisconnectedError")
      assert.isTrue(failure.mayHaveBeenCharged)
      assert.strictEqual(storage.length, 1)
    })
  )

  it.effect("does not return after a refusal, which is not charged for", () =>
    Effect.gen(function* () {
      const { methods, page, storage } = gateway(() => error(400, "content_policy_violation"))
      const failure = yield* stream.pipe(Stream.runDrain, Effect.flip, Effect.provide(page()))
      assert.isFalse(failure.mayHaveBeenCharged)
      assert.deepStrictEqual(methods(), ["POST"])
      assert.strictEqual(storage.length, 0)
    })
  )
})

describe("BrowserImages.pending", () => {
  it.effect("joins the requests that an earlier page left, with their params", () =>
    Effect.gen(function* () {
      const { asked, methods, page } = gateway(
        () => events(partial(0) + partial(1)),
        () => broken(partial(1)),
        () => events(partial(2) + completed)
      )
      yield* stream.pipe(Stream.take(1), Stream.runDrain, Effect.provide(page()))
      const [left, ...others] = yield* Effect.provide(BrowserImages.pending, page())
      assert.deepStrictEqual([left?.params, others.length], [{ prompt: "x", partialImages: 3 }, 0])
      const running = yield* Effect.forkChild(given(left?.events ?? Stream.empty).pipe(Effect.provide(page())))
      yield* TestClock.adjust("1 minute")
      assert.deepStrictEqual([...(yield* Fiber.join(running))], [1, 2, "completed"])
      assert.deepStrictEqual(methods(), ["POST", "GET", "GET"])
      assert.strictEqual(asked[1]?.id, left?.id)
      assert.deepStrictEqual(yield* Effect.provide(BrowserImages.pending, page()), [])
    })
  )

  it.effect("has neither requests that run in this page nor those of another gateway", () =>
    Effect.gen(function* () {
      const { page, storage } = gateway(() => new Promise<Response>(() => {}))
      yield* Effect.gen(function* () {
        yield* Effect.forkChild(Stream.runDrain(stream))
        yield* TestClock.adjust("1 second")
        assert.strictEqual(storage.length, 1)
        assert.deepStrictEqual(yield* BrowserImages.pending, [])
      }).pipe(Effect.provide(page()))
      const other = BrowserImages.layer({ baseUrl: "http://b.test/v1", reconnect: { storage } })
      assert.deepStrictEqual(yield* Effect.provide(BrowserImages.pending, other), [])
    })
  )

  it.effect("has a request until what reads its stream is done with the last image", () =>
    Effect.gen(function* () {
      const { page, storage } = gateway(() => events(partial(0) + completed))
      const during: Array<number> = []
      const look = Effect.sync(() => void during.push(storage.length))
      yield* stream.pipe(
        Stream.tap(() => look),
        Stream.runDrain,
        Effect.provide(page())
      )
      assert.deepStrictEqual([during, storage.length], [[1, 1], 0])
    })
  )

  it.effect("does not have a request whose stream was left at its last image", () =>
    Effect.gen(function* () {
      const { page, storage } = gateway(() => events(partial(0) + completed + partial(1)))
      const isCompleted = ({ _tag }: ImageGenStreamEvent.ImageGenStreamEvent) => _tag === "Completed"
      yield* stream.pipe(Stream.takeUntil(isCompleted), Stream.runDrain, Effect.provide(page()))
      assert.strictEqual(storage.length, 0)
    })
  )

  it.effect("has a request whose last image could not be stored", () =>
    Effect.gen(function* () {
      const { methods, page } = gateway(() => events(completed))
      const failing = Stream.tap(stream, () => Effect.fail("The disk is full" as const))
      yield* failing.pipe(Stream.runDrain, Effect.flip, Effect.provide(page()))
      const [left] = yield* Effect.provide(BrowserImages.pending, page())
      assert.deepStrictEqual(
        [...(yield* given(left?.events ?? Stream.empty).pipe(Effect.provide(page())))],
        ["completed"]
      )
      assert.deepStrictEqual(methods(), ["POST", "GET"])
    })
  )
})

describe("BrowserImages.pendingUntilDone", () => {
  const respond = () => Response.json({ created: 1, data: [{ b64_json: b64 }] })

  it.effect("keeps the requests of generate and generateStream until it succeeds", () =>
    Effect.gen(function* () {
      for (const [call, reply] of [
        [Images.generate({ prompt: "x" }), respond],
        [Stream.runDrain(stream), () => events(completed)]
      ] as const) {
        const { page, storage } = gateway(reply)
        const look = Effect.gen(function* () {
          return [storage.length, (yield* BrowserImages.pending).length]
        })
        const during = yield* call.pipe(Effect.andThen(look), BrowserImages.pendingUntilDone, Effect.provide(page()))
        // `pendingUntilDone` is still running, so `pending` does not list the request.
        assert.deepStrictEqual(during, [1, 0])
        assert.strictEqual(storage.length, 0)
      }
    })
  )

  it.effect("leaves them pending if it fails or is interrupted", () =>
    Effect.gen(function* () {
      for (const end of [Effect.fail("The disk is full"), Effect.interrupt]) {
        const { methods, page } = gateway(respond)
        yield* Effect.gen(function* () {
          yield* Images.generate({ prompt: "x" }).pipe(Effect.andThen(end), BrowserImages.pendingUntilDone, Effect.exit)
          const [left] = yield* BrowserImages.pending
          assert.strictEqual((yield* left?.response ?? Effect.die("none is pending")).data.length, 1)
          assert.deepStrictEqual(yield* BrowserImages.pending, [])
        }).pipe(Effect.provide(page()))
        assert.deepStrictEqual(methods(), ["POST", "GET"])
      }
    })
  )

  it.effect("does not keep a request that was refused", () =>
    Effect.gen(function* () {
      const { page, storage } = gateway(() => error(400, "content_policy_violation"))
      yield* Images.generate({ prompt: "x" }).pipe(BrowserImages.pendingUntilDone, Effect.flip, Effect.provide(page()))
      assert.strictEqual(storage.length, 0)
    })
  )
})
