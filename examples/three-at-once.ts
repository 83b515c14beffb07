import { Images } from "@effect-gradient/core"
import * as ImagesEach from "@effect-gradient/core/ImagesEach"
import { Effect, Stream } from "effect"

/** Three prompts at once. Without `result`, the first failure would interrupt the others, which may be charged for. */
export const threePrompts = Effect.forEach(
  ["An otter", "A fox", "An owl"],
  (prompt) => Effect.result(Images.generate({ prompt })),
  { concurrency: 3 }
)

/** Three images of one prompt, each in its own request. They are given as they arrive, and then a tally. */
export const threeImages = ImagesEach.generate({ prompt: "An otter" }, { count: 3, concurrency: 3 }).pipe(
  Stream.runCollect
)
