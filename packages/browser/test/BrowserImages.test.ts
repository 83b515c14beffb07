import { assert, describe, it } from "@effect/vitest"
import { BrowserImages } from "@effect-gradient/browser"
import { GradientClient, Images } from "@effect-gradient/core"
import { Context, Effect, Layer, Redacted, Stream } from "effect"
import { FetchHttpClient } from "effect/http"

/**
 * A fetch that replies to every request with the response of `answer`, and records the options of each request in
 * `asked`.
 */
const fetching = (answer: () => Response) => {
  const asked: Array<RequestInit> = []
  const fetch: typeof globalThis.fetch = (_input, init = {}) => {
    asked.push(init)
    return Promise.resolve(answer())
  }
  return { asked, layer: Layer.succeed(FetchHttpClient.Fetch, fetch) }
}

const reply = () => Response.json({ created: 1, data: [{ b64_json: "iVBORw0KGgo=" }] })
const layer = BrowserImages.layer({ baseUrl: "http://127.0.0.1:1/v1" })

class Other extends Context.Service<Other, Images.Images["Service"]>()("Other") {}

describe("BrowserImages.layer", () => {
  it.effect("generates without a key, on fetch", () =>
    Effect.gen(function* () {
      const { asked, layer: fetch } = fetching(reply)
      const response = yield* Images.generate({ prompt: "x" }).pipe(Effect.provide(layer), Effect.provide(fetch))
      assert.strictEqual(response.data[0].mediaType, "image/png")
      assert.isFalse(new Headers(asked[0]?.headers).has("authorization"))
    })
  )

  it.effect("never follows a redirect, and uses a RequestInit that is provided for the layer or for a call", () =>
    Effect.gen(function* () {
      const { asked, layer: fetch } = fetching(() => new Response(null, { status: 307, headers: { location: "/x" } }))
      const built = layer.pipe(Layer.provide(Layer.succeed(FetchHttpClient.RequestInit, { credentials: "include" })))
      const error = yield* Images.generate({ prompt: "x" }).pipe(
        Effect.flip,
        Effect.provide(built),
        Effect.provide(fetch),
        Effect.provideService(FetchHttpClient.RequestInit, { cache: "no-store", redirect: "follow" })
      )
      assert.strictEqual(error.reason._tag, "InvalidResponseError")
      assert.isFalse(error.mayHaveBeenCharged)
      assert.strictEqual(asked.length, 1)
      assert.strictEqual(asked[0]?.redirect, "manual")
      assert.strictEqual(asked[0]?.credentials, "include")
      assert.strictEqual(asked[0]?.cache, "no-store")
    })
  )

  it.effect("the error for an opaque redirect describes it", () =>
    Effect.gen(function* () {
      // In browsers, the response to a redirect that is not followed has the status 0, and no headers or body.
      const opaque = Object.defineProperty(new Response(null), "status", { value: 0 })
      const { layer: fetch } = fetching(() => opaque)
      const error = yield* Images.generate({ prompt: "x" }).pipe(
        Effect.flip,
        Effect.provide(layer),
        Effect.provide(fetch)
      )
      assert.strictEqual(error.reason._tag, "InvalidResponseError")
      assert.include(error.message, "a redirect, which is not followed")
      assert.notMatch(error.message, /nowhere|\(0\)/)
      assert.isFalse(error.mayHaveBeenCharged)
    })
  )

  it.effect("accepts the options of the client and of fetch in one object, and provides both services", () =>
    Effect.gen(function* () {
      const { asked, layer: fetch } = fetching(reply)
      const both = BrowserImages.layer({ baseUrl: "http://a.test/v1", requestInit: { credentials: "include" } })
      yield* Effect.andThen(GradientClient.GradientClient, Images.generate({ prompt: "x" })).pipe(
        Effect.provide(both),
        Effect.provide(fetch)
      )
      assert.strictEqual(asked[0]?.credentials, "include")
    })
  )

  it.effect("two clients in one program use their own endpoint, key and RequestInit", () =>
    Effect.gen(function* () {
      const { asked, layer: fetch } = fetching(reply)
      const make = (name: string, credentials: RequestCredentials) =>
        BrowserImages.layer({ baseUrl: `http://${name}.test/v1`, modelAccessKey: Redacted.make(name) }).pipe(
          Layer.provide(Layer.succeed(FetchHttpClient.RequestInit, { credentials }))
        )
      const [a, b] = [make("a", "include"), make("b", "omit")]
      const call = Images.generate({ prompt: "x" })
      yield* call.pipe(Effect.provide(b), Effect.andThen(call), Effect.provide(a), Effect.provide(fetch))
      const other = Layer.effect(
        Other,
        Effect.map(Images.Images, (images) => images)
      ).pipe(Layer.provide(b))
      yield* Effect.andThen(
        call,
        Effect.flatMap(Other, (images) => images.generate({ prompt: "x" }))
      ).pipe(Effect.provide(Layer.mergeAll(a, other)), Effect.provide(fetch))
      assert.deepStrictEqual(
        asked.map(({ credentials, headers }) => [credentials, new Headers(headers).get("authorization")]),
        [
          ["omit", "Bearer b"],
          ["include", "Bearer a"],
          ["include", "Bearer a"],
          ["omit", "Bearer b"]
        ]
      )
    })
  )

  it.effect("the same layer twice is one client", () =>
    Effect.gen(function* () {
      const outer = yield* GradientClient.GradientClient
      const inner = yield* Effect.provide(GradientClient.GradientClient, layer)
      assert.strictEqual(outer, inner)
    }).pipe(Effect.provide(layer))
  )

  it.effect("sends another attempt id with each attempt, 128 bits in hexadecimal", () =>
    Effect.gen(function* () {
      const { asked, layer: fetch } = fetching(() => new Response("", { status: 429, headers: { "retry-after": "0" } }))
      yield* Images.generate({ prompt: "x" }).pipe(Effect.flip, Effect.provide(layer), Effect.provide(fetch))
      const ids = asked.map(({ headers }) => new Headers(headers).get("x-attempt-id"))
      assert.strictEqual(ids.length, 3)
      assert.strictEqual(new Set(ids).size, 3)
      for (const id of ids) assert.match(id ?? "", /^[0-9a-f]{32}$/)
    }).pipe(Effect.provide(Layer.empty))
  )

  it.effect("aborts the fetch when the consumer stops early", () =>
    Effect.gen(function* () {
      const event = `data: {"type":"image_generation.partial_image","b64_json":"iVBORw0KGgo=","partial_image_index":0}\n\n`
      let cancelled = false
      const body = () =>
        new ReadableStream({
          start: (controller) => controller.enqueue(new TextEncoder().encode(event)),
          cancel: () => {
            cancelled = true
          }
        })
      const { asked, layer: fetch } = fetching(
        () => new Response(body(), { headers: { "content-type": "text/event-stream" } })
      )
      yield* Images.generateStream({ prompt: "x" }).pipe(
        Stream.take(1),
        Stream.runDrain,
        Effect.provide(layer),
        Effect.provide(fetch)
      )
      assert.isTrue(cancelled)
      assert.isTrue(asked[0]?.signal?.aborted)
    })
  )
})
