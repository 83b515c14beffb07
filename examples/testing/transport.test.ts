/**
 * Tests with `TestTransport`, which plays a slow, busy or broken service. Time is simulated, so no test waits.
 */
import { assert, describe, it } from "@effect/vitest"
import { TestImages, TestTransport } from "@effect-gradient/core/testing"
import { Effect, Fiber } from "effect"
import { TestClock } from "effect/testing"
import { cover, watchCover } from "./covers.ts"

const { jpeg, png, webp } = TestImages
const busy = TestTransport.respond({ status: 429, headers: { "retry-after": "20" }, json: { id: "too_many_requests" } })
const painted = TestTransport.response(TestImages.makeResponse(jpeg))

describe("a cover", () => {
  it.effect("is requested again after the time that the service asks for", () =>
    Effect.gen(function* () {
      const fiber = yield* Effect.forkChild(cover("Otters at Sea"))
      yield* TestClock.adjust("19 seconds")
      assert.lengthOf(yield* TestTransport.requests, 1)
      yield* TestClock.adjust("1 second")
      assert.deepStrictEqual((yield* Fiber.join(fiber)).bytes, jpeg)
    }).pipe(Effect.provide(TestTransport.layerImages([busy, painted])))
  )

  it.effect("is not requested again if the first request may have been charged for", () =>
    Effect.gen(function* () {
      const error = yield* Effect.flip(cover("Otters at Sea"))
      assert.isTrue(error.mayHaveBeenCharged)
      assert.lengthOf(yield* TestTransport.requests, 1)
    }).pipe(Effect.provide(TestTransport.layerImages([TestTransport.failSent(), painted])))
  )
})

describe("a cover that the reader watches", () => {
  const sketches = TestImages.makeEvents(webp, png, jpeg)

  it.effect("is the last sketch if the connection breaks", () =>
    Effect.gen(function* () {
      const shown: Array<Uint8Array> = []
      const image = yield* watchCover("Otters at Sea", (bytes) => Effect.sync(() => void shown.push(bytes)))
      assert.deepStrictEqual(shown, [webp, png])
      assert.deepStrictEqual(image.bytes, png)
    }).pipe(Effect.provide(TestTransport.layerImages([TestTransport.events(sketches, { cutAt: -100, end: "reset" })])))
  )

  it.effect("is cancelled when the reader leaves", () =>
    Effect.gen(function* () {
      const fiber = yield* Effect.forkChild(watchCover("Otters at Sea", () => Effect.void))
      yield* TestClock.adjust("15 seconds")
      yield* Fiber.interrupt(fiber)
      const [request] = yield* TestTransport.requests
      assert.isTrue(request?.aborted)
    }).pipe(Effect.provide(TestTransport.layerImages([TestTransport.events(sketches, { interval: "10 seconds" })])))
  )
})
