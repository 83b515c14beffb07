import { BrowserImages, ImageView } from "@effect-gradient/browser"
import { Images } from "@effect-gradient/core"
import { Effect, type Redacted } from "effect"

/** Generates an image, and paints each partial image and then the final one on `target`. Returns the final image. */
export const paint = (target: HTMLCanvasElement, baseUrl: string, password: Redacted.Redacted) =>
  Images.generateStream({ prompt: "A cute baby sea otter", partialImages: 3 }).pipe(
    ImageView.run({ target }),
    Effect.scoped,
    Effect.provide(BrowserImages.layer({ baseUrl, modelAccessKey: password }))
  )
