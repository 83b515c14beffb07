import { BrowserImages, ImageView } from "@effect-gradient/browser"
import { Effect } from "effect"

/**
 * Shows the images of the requests that an earlier page left pending, one after another, and logs the failures of those
 * whose images cannot be had. Run it when the page has loaded.
 */
export const resume = (target: HTMLImageElement, status: HTMLElement) =>
  Effect.gen(function* () {
    for (const { events } of yield* BrowserImages.pending) {
      yield* events.pipe(
        ImageView.run({ target, status }),
        Effect.catchTag("GradientError", (error) => Effect.logWarning("A pending request failed", error))
      )
    }
  })
