import { Images } from "@effect-gradient/core"
import { TestImages, TestTransport } from "@effect-gradient/core/testing"
import { Effect } from "effect"

/** Tests code that uses an image, without a network. The image is always the same small one. */
export const tested = Effect.gen(function* () {
  const response = yield* Images.generate({ prompt: "A sea otter", outputFormat: "webp" })
  const [request] = yield* TestTransport.requests
  return { mediaType: response.data[0].mediaType, body: request?.body }
}).pipe(Effect.provide(TestImages.layerFixed()))
