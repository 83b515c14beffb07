import { BrowserImages, ImageView } from "@effect-gradient/browser"
import { Effect } from "effect"

/** Shows the images that an earlier page requested and did not get, one after another. Run it when the page has loaded. */
export const resume = (target: HTMLImageElement, status: HTMLElement) =>
  Effect.gen(function* () {
    for (const { events } of yield* BrowserImages.pending) {
      yield* events.pipe(ImageView.run({ target, status }))
    }
  })
