import { assert, describe, it } from "@effect/vitest"
import { Images, RetryPolicy } from "@effect-gradient/core"
import { NodeImages } from "@effect-gradient/node"
import { Effect, Fiber, Stream } from "effect"
import { completed, eventually, partialImage, png, serve } from "./support/server.ts"

const streams = 50

describe("the memory of open streams", () => {
  it.live("does not depend on the images that other streams of the client had", () =>
    Effect.gen(function* () {
      const small = png(1000)
      let requests = 0
      let partials = 0
      const server = yield* serve((_, response) => {
        response.writeHead(200, { "content-type": "text/event-stream" })
        if (requests++ === 0) response.end(completed(png(10_000_000)))
        // The final image begins, but the rest of it never arrives.
        else response.write(partialImage(0, small) + completed(small).slice(0, 200))
      })
      const call = Images.generateStream({ prompt: "A sea otter" }).pipe(
        Stream.runForEach(({ _tag }) => Effect.sync(() => (_tag === "PartialImage" ? partials++ : undefined)))
      )
      yield* Effect.gen(function* () {
        yield* call
        const before = process.memoryUsage().arrayBuffers
        const open = yield* Effect.forEach(Array.from({ length: streams }), () => Effect.forkChild(call))
        yield* eventually(() => partials === streams, "every stream is open")
        assert.isBelow(process.memoryUsage().arrayBuffers - before, 50_000_000)
        yield* Fiber.interruptAll(open)
      }).pipe(Effect.provide(NodeImages.layer({ baseUrl: server.baseUrl, retry: RetryPolicy.none })))
    }).pipe(Effect.scoped)
  )
})
