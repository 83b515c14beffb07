import { BrowserImages, ImageView } from "@effect-gradient/browser"
import { Images } from "@effect-gradient/core"
import { Effect, type Redacted } from "effect"

/** Paints each image as it arrives, and returns the last one. */
export const paint = (target: HTMLCanvasElement, baseUrl: string, password: Redacted.Redacted) =>
  Images.generateStream({ prompt: "A cute baby sea otter", partialImages: 3 }).pipe(
    ImageView.run({ target }),
    Effect.scoped,
    Effect.provide(BrowserImages.layer({ baseUrl, modelAccessKey: password }))
  )
