import { assert, describe, it } from "@effect/vitest"
import { GradientClient } from "@effect-gradient/core"
import { TestImages, TestTransport } from "@effect-gradient/core/testing"
import { Attempts } from "@effect-gradient/gateway"
import { Context, Effect, Layer, Redacted } from "effect"

class Second extends Context.Service<Second, Attempts.Attempts["Service"]>()("Second") {}

const request: Attempts.Request = { kind: "generate", params: { prompt: "x", model: "openai-gpt-image-2", n: 1 } }

const id: Attempts.RequestId = { caller: "alice", attempt: undefined, request: "0".repeat(32) }

/** Makes `Attempts` with a client of their own, and a list of the `authorization` headers that this client sends. */
const stack = (key: string) => {
  const keys: Array<string | undefined> = []
  const layer = Attempts.layerOnce.pipe(
    Layer.provide(
      GradientClient.layer({
        modelAccessKey: Redacted.make(key),
        transformClient: (client) => ({
          execute: (sent) =>
            Effect.andThen(
              Effect.sync(() => void keys.push(sent.headers["authorization"])),
              client.execute(sent)
            )
        })
      })
    ),
    Layer.provide(TestTransport.layer(() => TestTransport.response(TestImages.makeResponse(TestImages.png))))
  )
  return { keys, layer }
}

describe("two gateways in one program", () => {
  it.effect("each send with their own key", () =>
    Effect.gen(function* () {
      const [one, two] = [stack("key-one"), stack("key-two")]
      const second = Layer.effect(Second, Attempts.Attempts).pipe(Layer.provide(two.layer))
      yield* Effect.gen(function* () {
        yield* (yield* Attempts.Attempts).run(id, request, {})
        yield* (yield* Second).run(id, request, {})
      }).pipe(Effect.scoped, Effect.provide(Layer.mergeAll(one.layer, second)))
      assert.deepStrictEqual([one.keys, two.keys], [["Bearer key-one"], ["Bearer key-two"]])
    })
  )
})
