import { Images } from "@effect-gradient/core"
import { TestImages, TestTransport } from "@effect-gradient/core/testing"
import { Effect } from "effect"

/**
 * Runs code that uses an image, without a network. `TestImages` returns a small image in the requested format, and
 * `TestTransport.requests` has the requests.
 */
export const tested = Effect.gen(function* () {
  const response = yield* Images.generate({ prompt: "A sea otter", outputFormat: "webp" })
  const [request] = yield* TestTransport.requests
  return { mediaType: response.data[0].mediaType, body: request?.body }
}).pipe(Effect.provide(TestImages.layerFixed()))
