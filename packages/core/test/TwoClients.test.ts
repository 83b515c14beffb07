import { describe, expect, it } from "@effect/vitest"
import * as Context from "effect/Context"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import * as Redacted from "effect/Redacted"
import { GradientClient, Images } from "../src/index.ts"
import { TestImages, TestTransport } from "../src/testing/index.ts"
import * as Service from "./support/Service.ts"
import * as Wire from "./support/Wire.ts"

const generate = Images.generate({ prompt: "a sea otter" })

/**
 * A client with its own base URL and key. `seen` returns the host and the key of each request that was sent through it.
 */
const client = (name: string) => {
  const { asked, layer: http } = Service.transport(() => Response.json(Wire.response()))
  const options = { baseUrl: `http://${name}.example/v1`, modelAccessKey: Redacted.make(`key-of-${name}`) }
  const layer = Images.layer.pipe(Layer.provide(GradientClient.layer(options)), Layer.provide(http))
  return { layer, seen: () => asked.map(({ headers, url }) => `${new URL(url).host} ${headers["authorization"]}`) }
}

const seenOnly = (name: string) => [`${name}.example Bearer key-of-${name}`]

describe("two clients in one program", () => {
  it.effect("a call with its own layer uses the endpoint and key of that layer", () =>
    Effect.gen(function* () {
      const [outer, inner] = [client("outer"), client("inner")]
      yield* Effect.andThen(generate.pipe(Effect.provide(inner.layer)), generate).pipe(Effect.provide(outer.layer))
      expect([outer.seen(), inner.seen()]).toEqual([seenOnly("outer"), seenOnly("inner")])
    })
  )

  it.effect("two stacks of layers that are built together use their own endpoints and keys", () =>
    Effect.gen(function* () {
      const [one, two] = [client("one"), client("two")]
      class First extends Context.Service<First, Images.Images["Service"]>()("First") {}
      const first = Layer.effect(First, Images.Images).pipe(Layer.provide(one.layer))
      yield* Effect.gen(function* () {
        yield* (yield* First).generate({ prompt: "a sea otter" })
        yield* generate
      }).pipe(Effect.provide(Layer.mergeAll(first, two.layer)))
      expect([one.seen(), two.seen()]).toEqual([seenOnly("one"), seenOnly("two")])
    })
  )

  it.effect("one layer value that is used twice is one client", () =>
    Effect.gen(function* () {
      let built = 0
      const http = Layer.tap(Service.transport(() => Response.json(Wire.response())).layer, () =>
        Effect.sync(() => built++)
      )
      const stack = Images.layer.pipe(Layer.provide(GradientClient.layer({})), Layer.provide(http))
      const user = Layer.effectDiscard(generate).pipe(Layer.provide(stack))
      yield* generate.pipe(Effect.provide(Layer.mergeAll(stack, user)))
      expect(built).toBe(1)
    })
  )

  it.effect("each layer for tests has its own script and images", () =>
    Effect.gen(function* () {
      const inner = generate.pipe(Effect.provide(TestImages.layerFixed(TestImages.webp)))
      const [one, two] = yield* Effect.all([inner, generate]).pipe(
        Effect.provide(TestImages.layerFixed(TestImages.png))
      )
      expect([one.data[0].bytes, two.data[0].bytes]).toEqual([TestImages.webp, TestImages.png])
      const refused = TestTransport.layerImages([TestTransport.respond({ status: 401, json: {} })])
      const failure = Effect.flip(generate).pipe(Effect.provide(refused))
      const [error] = yield* Effect.all([failure, generate]).pipe(Effect.provide(TestImages.layerFixed()))
      expect(error.reason._tag).toBe("AuthenticationError")
    })
  )
})
