import { Images } from "@effect-gradient/core"
import * as ImagesEach from "@effect-gradient/core/ImagesEach"
import { Effect, Stream } from "effect"

/**
 * Makes three calls at once. `Effect.result` keeps the calls independent: without it, one failure would interrupt the other
 * calls, and their images might be charged for without arriving.
 */
export const threePrompts = Effect.forEach(
  ["An otter", "A fox", "An owl"],
  (prompt) => Effect.result(Images.generate({ prompt })),
  { concurrency: 3 }
)

/**
 * Generates three images of one prompt, each with its own request. The results are in the order in which they arrive, and a
 * tally of all requests is last.
 */
export const threeImages = ImagesEach.generate({ prompt: "An otter" }, { count: 3, concurrency: 3 }).pipe(
  Stream.runCollect
)
