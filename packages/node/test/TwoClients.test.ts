import { assert, describe, it } from "@effect/vitest"
import { GradientClient, Images } from "@effect-gradient/core"
import { NodeImages } from "@effect-gradient/node"
import { Context, Effect, Layer, Redacted } from "effect"
import { png, responseBody, serve } from "./support/server.ts"

const call = Images.generate({ prompt: "A sea otter" })

/**
 * Starts two endpoints, and makes a layer with its own key for each. `keys` returns the values of `authorization` that
 * an endpoint received.
 */
const two = Effect.gen(function* () {
  const [a, b] = [yield* endpoint, yield* endpoint]
  const layer = ({ baseUrl }: typeof a, key: string) =>
    NodeImages.layer({ baseUrl, modelAccessKey: Redacted.make(key) })
  return { a, b, layerA: layer(a, "key-a"), layerB: layer(b, "key-b") }
})

const endpoint = Effect.map(
  serve((_, response) => response.end(responseBody(png(1000)))),
  (server) => ({ ...server, keys: () => server.requests.map(({ headers }) => headers.authorization) })
)

class Other extends Context.Service<Other, Images.Images["Service"]>()("Other") {}
const other = <E>(layer: Layer.Layer<Images.Images, E>) =>
  Layer.effect(
    Other,
    Effect.map(Images.Images, (images) => images)
  ).pipe(Layer.provide(layer))

describe("two clients in one program", () => {
  it.live("one provided within the other: each uses its own endpoint and key", () =>
    Effect.gen(function* () {
      const { a, b, layerA, layerB } = yield* two
      yield* call.pipe(Effect.provide(layerB), Effect.andThen(call), Effect.provide(layerA))
      assert.deepStrictEqual(a.keys(), ["Bearer key-a"])
      assert.deepStrictEqual(b.keys(), ["Bearer key-b"])
    }).pipe(Effect.scoped)
  )

  it.live("merged: each uses its own endpoint and key", () =>
    Effect.gen(function* () {
      const { a, b, layerA, layerB } = yield* two
      yield* call.pipe(
        Effect.andThen(Effect.flatMap(Other, (images) => images.generate({ prompt: "A sea otter" }))),
        Effect.provide(Layer.mergeAll(layerA, other(layerB)))
      )
      assert.deepStrictEqual(a.keys(), ["Bearer key-a"])
      assert.deepStrictEqual(b.keys(), ["Bearer key-b"])
    }).pipe(Effect.scoped)
  )

  it.live("the same layer twice: one client, with one connection", () =>
    Effect.gen(function* () {
      const { a, layerA } = yield* two
      const clients = yield* Effect.gen(function* () {
        const outer = yield* Effect.context<GradientClient.GradientClient>()
        const inner = yield* Effect.context<GradientClient.GradientClient>().pipe(Effect.provide(layerA))
        yield* Effect.andThen(call, Effect.provide(call, layerA))
        return [outer, inner].map((context) => Context.get(context, GradientClient.GradientClient))
      }).pipe(Effect.provide(layerA))
      assert.strictEqual(clients[0], clients[1])
      assert.strictEqual(a.keys().length, 2)
      const merged = yield* Layer.build(Layer.mergeAll(layerA, other(layerA)))
      assert.strictEqual(Context.get(merged, Other), Context.get(merged, Images.Images))
    }).pipe(Effect.scoped)
  )

  it.live("a layer from Configs has its own client", () =>
    Effect.gen(function* () {
      const { a, b } = yield* two
      const layers = [a, b].map(({ baseUrl }) =>
        NodeImages.layerFromConfig({ baseUrl, modelAccessKey: Redacted.make("k") })
      )
      for (const layer of layers) yield* Effect.provide(call, layer)
      assert.deepStrictEqual([a.requests.length, b.requests.length], [1, 1])
    }).pipe(Effect.scoped)
  )
})
