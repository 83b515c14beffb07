import { BrowserImages, ImageView } from "@effect-gradient/browser"
import { Effect } from "effect"

/**
 * Shows the images of the requests that an earlier page left pending, one after another, until one fails. Run it when
 * the page has loaded.
 */
export const resume = (target: HTMLImageElement, status: HTMLElement) =>
  Effect.gen(function* () {
    for (const { events } of yield* BrowserImages.pending) {
      yield* events.pipe(ImageView.run({ target, status }))
    }
  })
