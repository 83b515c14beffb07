/**
 * Tests that the `ai` SDK can pay several times for one call, and can lose images, as docs/coming-from-ai.md says.
 */
import { createOpenAI } from "@ai-sdk/openai"
import { assert, describe, it } from "@effect/vitest"
import { Emulator, Ledger } from "@effect-gradient/emulator"
import { generateImage } from "ai"
import { Effect, Layer } from "effect"

const draw = (baseURL: string, options: { readonly n: number; readonly maxImagesPerCall?: number }) =>
  Effect.tryPromise(() =>
    generateImage({
      model: createOpenAI({ baseURL, apiKey: "any" }).image("openai-gpt-image-2"),
      prompt: "A lighthouse",
      size: "64x64",
      ...options
    })
  )

/**
 * Makes one call with the `ai` SDK to an emulator with this fault, and waits until the emulator has received 3
 * requests. Returns whether the call succeeded, and how many generations were charged for.
 */
const charges = (fault: string, options: { readonly n: number; readonly maxImagesPerCall?: number }) =>
  Effect.gen(function* () {
    const { _tag } = yield* Effect.result(draw(yield* Emulator.baseUrl, options))
    const { account } = yield* Ledger.Ledger
    const arrived = account.pipe(Effect.delay("20 millis"), Effect.repeat({ until: ({ requests }) => requests === 3 }))
    return { result: _tag, charges: (yield* arrived).entries.length }
  }).pipe(Effect.provide(Layer.fresh(Emulator.layerServer({ port: 0, faults: [fault] }))))

describe("the ai SDK", () => {
  it.live("pays for three generations if each request ends with a 500 after the work", () =>
    Effect.gen(function* () {
      assert.deepStrictEqual(yield* charges("status=500", { n: 1 }), { result: "Failure", charges: 3 })
    })
  )

  it.live("loses the images of the other requests if one of several fails", () =>
    Effect.gen(function* () {
      const options = { n: 3, maxImagesPerCall: 1 }
      assert.deepStrictEqual(yield* charges("status=400 x1", options), { result: "Failure", charges: 2 })
    })
  )
})
