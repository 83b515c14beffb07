import { BrowserImages, ImageView } from "@effect-gradient/browser"
import { Effect } from "effect"

/**
 * Shows the images of the requests that an earlier page left pending, one after another. If a request has failed, logs its
 * failure and continues with the next. Run it when the page has loaded.
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
