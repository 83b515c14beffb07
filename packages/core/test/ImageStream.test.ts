import { describe, expect, it } from "@effect/vitest"
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as Stream from "effect/Stream"
import { ImageGenStreamEvent, ImageStream } from "../src/index.ts"
import * as Service from "./support/Service.ts"
import * as Wire from "./support/Wire.ts"

const { Completed, PartialImage } = ImageGenStreamEvent

describe("ImageStream", () => {
  describe("runCompleted", () => {
    const completed = new Completed({ bytes: Wire.png(6) })

    it.effect("returns the final image", () =>
      Effect.gen(function* () {
        const partial = new PartialImage({ bytes: Wire.png(5), partialImageIndex: 0 })
        expect(yield* ImageStream.runCompleted(Stream.make(partial, completed))).toBe(completed)
      })
    )

    it.effect("fails if there was no Completed", () =>
      Effect.gen(function* () {
        const reason = yield* Service.reasonOf(ImageStream.runCompleted(Stream.empty))
        expect(reason._tag).toBe("IncompleteStreamError")
      })
    )
  })

  it.effect("tapProgress reports images, bytes and time so far, and waits for onProgress", () =>
    Effect.gen(function* () {
      const seen: Array<ReadonlyArray<unknown>> = []
      const events = Stream.make(
        new PartialImage({ bytes: Wire.png(5), partialImageIndex: 0 }),
        new Completed({ bytes: Wire.png(6) })
      ).pipe(Stream.tap(() => Effect.sleep("2 seconds")))
      const fiber = yield* events.pipe(
        ImageStream.tapProgress(({ bytes, elapsed, event, images }) =>
          Effect.delay(
            Effect.sync(() => seen.push([event._tag, images, bytes, Duration.toSeconds(elapsed)])),
            "1 second"
          )
        ),
        Stream.runDrain,
        Effect.forkChild
      )
      for (let second = 0; second < 6; second++) yield* Service.advance("1 second")
      yield* Service.join(fiber)
      expect(seen).toEqual([
        ["PartialImage", 1, 5, 2],
        ["Completed", 2, 11, 5]
      ])
    })
  )
})
