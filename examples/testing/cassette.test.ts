/**
 * Tests with `Cassette`, which replays recorded replies without a key and without a network. `record.ts` recorded them.
 */
import { assert, describe, it } from "@effect/vitest"
import { GradientClient, Images } from "@effect-gradient/core"
import { Cassette } from "@effect-gradient/node/testing"
import { Effect, Layer } from "effect"
import { join } from "node:path"
import { watchCover } from "./covers.ts"

const images = Images.layer.pipe(
  Layer.provide(GradientClient.layer({})),
  Layer.provide(Cassette.layerReplay(join(import.meta.dirname, "cassettes/otters.json")))
)

describe("a cover that the reader watches", () => {
  it.effect("is the service's final image, after two sketches", () =>
    Effect.gen(function* () {
      const shown: Array<Uint8Array> = []
      const image = yield* watchCover("Otters at Sea", (bytes) => Effect.sync(() => void shown.push(bytes)))
      assert.strictEqual(image.mediaType, "image/jpeg")
      assert.lengthOf(shown, 3)
      assert.strictEqual(shown.at(-1), image.bytes)
    }).pipe(Effect.provide(images))
  )

  it.effect("fails for another title, with the difference from the recorded request", () =>
    Effect.gen(function* () {
      const exit = yield* Effect.exit(watchCover("Otters on Land", () => Effect.void))
      assert.include(String(exit), 'body.prompt: "The cover of a book called \\"Otters on Land\\""')
    }).pipe(Effect.provide(images))
  )
})
