import { BrowserImages } from "@effect-gradient/browser"
import { Images } from "@effect-gradient/core"
import { Effect } from "effect"

/**
 * Generates an image through a durable gateway, and stores it in the browser's cache. If the page is reloaded or left
 * before the image is stored, the next page in the same tab finds the request in `BrowserImages.pending`.
 */
export const generateAndStore = (prompt: string) =>
  Effect.gen(function* () {
    const { data } = yield* Images.generate({ prompt })
    yield* Effect.tryPromise(async () => {
      const cache = await caches.open("images")
      await cache.put(`/images/${encodeURIComponent(prompt)}`, new Response(data[0].toBlob()))
    })
  }).pipe(BrowserImages.pendingUntilDone)
