/**
 * Tests `transformClient` with a limiter, and an entry of `Attempt.layer`, over real sockets and on both transports.
 */
import { assert, describe, it } from "@effect/vitest"
import { BrowserImages } from "@effect-gradient/browser"
import { type GradientClient, Images, RetryPolicy } from "@effect-gradient/core"
import { Emulator, Ledger } from "@effect-gradient/emulator"
import { NodeImages } from "@effect-gradient/node"
import { Effect, Layer, Metric, Redacted } from "effect"
import { HttpClient } from "effect/http"
import { RateLimiter } from "effect/persistence"
import { counted } from "./attempt.ts"

const transports = { NodeImages, BrowserImages }

const layerOf = (name: keyof typeof transports, options: GradientClient.Options) =>
  Layer.unwrap(
    Effect.map(Emulator.baseUrl, (baseUrl) =>
      transports[name].layer({ baseUrl, modelAccessKey: Redacted.make("any"), retry: RetryPolicy.none, ...options })
    )
  )

const params = { prompt: "a lighthouse", size: "256x256", quality: "low" }
const generate = (options: GradientClient.RequestOptions = {}) => Images.generate(params, options)

const charges = Effect.flatMap(Ledger.Ledger, (ledger) => Effect.map(ledger.account, ({ entries }) => entries.length))

const emulator = Emulator.layerServer({ port: 0 })

describe.each(["NodeImages", "BrowserImages"] as const)("transformClient of %s", (name) => {
  it.live("a limiter may wait longer than the timeout: one request is sent after it", () =>
    Effect.gen(function* () {
      const limiter = yield* RateLimiter.RateLimiter
      const window = "3 seconds"
      const transformClient = HttpClient.withRateLimiter({ limiter, key: "images", limit: 1, window, times: 0 })
      const layer = layerOf(name, { transformClient })
      const [first, second] = yield* Effect.gen(function* () {
        yield* generate()
        const before = yield* charges
        yield* generate({ timeout: "2 seconds" })
        return [before, yield* charges]
      }).pipe(Effect.provide(layer))
      assert.deepStrictEqual([first, second], [1, 2])
    }).pipe(Effect.provide([emulator, RateLimiter.layer.pipe(Layer.provide(RateLimiter.layerStoreMemory))]))
  )

  it.live("a limiter that fails gives RateLimitError, and nothing is sent", () =>
    Effect.gen(function* () {
      const limiter = yield* RateLimiter.RateLimiter
      const consume = limiter.consume({ key: "images", limit: 1, window: "1 hour", onExceeded: "fail" })
      const transformClient = (client: HttpClient.HttpClient): GradientClient.TransformedClient => ({
        execute: (request) => Effect.andThen(consume, client.execute(request))
      })
      const error = yield* Effect.andThen(generate(), Effect.flip(generate())).pipe(
        Effect.provide(layerOf(name, { transformClient }))
      )
      assert.strictEqual(error.reason._tag, "RateLimitError")
      assert.isFalse(error.mayHaveBeenCharged)
      assert.isDefined(error.reason.retryAfter)
      assert.strictEqual(yield* charges, 1)
    }).pipe(Effect.provide([emulator, RateLimiter.layer.pipe(Layer.provide(RateLimiter.layerStoreMemory))]))
  )

  it.live("an entry of Attempt.Around counts the requests by outcome", () =>
    Effect.gen(function* () {
      const layer = counted.pipe(Layer.provide(layerOf(name, {})))
      const refused = counted.pipe(Layer.provide(layerOf(name, { baseUrl: "http://127.0.0.1:1/v1" })))
      yield* generate().pipe(Effect.provide(layer))
      yield* Effect.flip(generate({ timeout: "1 millis" })).pipe(Effect.provide(layer))
      yield* Effect.flip(generate()).pipe(Effect.provide(refused))
      const counts = (yield* Metric.snapshot)
        .filter(({ id }) => id === "gradient.requests")
        .map(({ attributes, state }) => `${attributes?.["outcome"]} ${"count" in state ? state.count : ""}`)
      assert.deepStrictEqual(counts.toSorted(), ["Completed 1", "Failed 1"])
    }).pipe(Effect.provide(emulator), Effect.provideService(Metric.MetricRegistry, new Map()))
  )
})
