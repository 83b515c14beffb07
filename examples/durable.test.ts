import { assert, describe, it } from "@effect/vitest"
import { GradientClient, Images } from "@effect-gradient/core"
import { DurableImages } from "@effect-gradient/durable"
import { Emulator, Ledger } from "@effect-gradient/emulator"
import { Context, Effect, Layer, Option, Redacted } from "effect"
import { mkdtemp, rm } from "node:fs/promises"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { durable, order } from "./durable.ts"
import { repeatDoubts } from "./durable-doubts.ts"

const folder = Effect.acquireRelease(
  Effect.promise(() => mkdtemp(join(tmpdir(), "durable-"))),
  (path) => Effect.promise(() => rm(path, { recursive: true }))
)

/**
 * Returns a layer of `Images` on a new emulator, and an effect that counts the generations that would have been charged for.
 */
const emulated = Effect.fnUntraced(function* (...faults: ReadonlyArray<string>) {
  const images = Images.layer.pipe(
    Layer.provide(GradientClient.layer({ modelAccessKey: Redacted.make("any") })),
    Layer.provideMerge(Emulator.layerHttpClient({ images: "plain", faults }))
  )
  const context = yield* Layer.build(images)
  const { account } = Context.get(context, Ledger.Ledger)
  return { images: Layer.succeedContext(context), charges: Effect.map(account, ({ entries }) => entries.length) }
})

describe("durable.ts", () => {
  it.live("pays once for an order, over two processes", () =>
    Effect.gen(function* () {
      const path = yield* folder
      const { charges, images } = yield* emulated()
      const process = durable(path).pipe(Layer.provide(images))
      const first = yield* Effect.provide(order(1), process)
      const second = yield* Effect.provide(order(1), durable(path).pipe(Layer.provide(images)))
      assert.deepStrictEqual([...second.data[0].bytes], [...first.data[0].bytes])
      assert.strictEqual(yield* charges, 1)
    }).pipe(Effect.scoped)
  )
})

describe("durable-doubts.ts", () => {
  it.live("lets an order in doubt be paid for again", () =>
    Effect.gen(function* () {
      const { charges, images } = yield* emulated("reset x1")
      const context = yield* Layer.build(durable(yield* folder).pipe(Layer.provide(images)))
      const failed = yield* Effect.provide(Effect.flip(order(1)), context)
      assert.isTrue(failed.mayHaveBeenCharged)
      const doubt = yield* Effect.provide(Effect.flip(order(1)), context)
      assert.strictEqual(doubt.reason._tag, "InDoubtError")
      yield* Effect.provide(repeatDoubts(10), context)
      yield* Effect.provide(order(1), context)
      assert.isAtLeast(yield* charges, 1)
      const found = yield* Effect.provide(DurableImages.get("order 1"), context)
      assert.strictEqual(Option.getOrUndefined(found)?.attempt, 2)
    }).pipe(Effect.scoped)
  )
})
