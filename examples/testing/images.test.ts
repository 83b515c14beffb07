/** Tests with `TestImages`, which gives the application images or failures, without a service. */
import { assert, describe, it } from "@effect/vitest"
import { GradientError } from "@effect-gradient/core"
import { TestImages, TestTransport } from "@effect-gradient/core/testing"
import { Effect } from "effect"
import { cover } from "./covers.ts"

const refused = GradientError.fromReason(new GradientError.ContentPolicyError({}))

describe("a cover", () => {
  it.effect("is a JPEG of the title", () =>
    Effect.gen(function* () {
      const image = yield* cover("Otters at Sea")
      assert.strictEqual(image.mediaType, "image/jpeg")
      const [request] = yield* TestTransport.requests
      assert.deepInclude(request?.body, { prompt: 'The cover of a book called "Otters at Sea"' })
    }).pipe(Effect.provide(TestImages.layerFixed()))
  )

  it.effect("is plain linen if moderation refuses the title", () =>
    Effect.gen(function* () {
      const image = yield* cover("Otters at War")
      assert.deepStrictEqual(image.bytes, TestImages.png)
    }).pipe(
      Effect.provide(
        TestImages.layer({
          generate: ({ prompt }) =>
            prompt.includes("War") ? Effect.fail(refused) : Effect.succeed(TestImages.makeResponse(TestImages.png))
        })
      )
    )
  )
})
