/**
 * `Images` for the tests of an application, made from your own functions or with fixed images. Also has small valid
 * images of 8 by 8 pixels.
 */
import * as Arr from "effect/Array"
import * as DateTime from "effect/DateTime"
import * as Effect from "effect/Effect"
import * as Base64 from "effect/encoding/Base64"
import * as Layer from "effect/Layer"
import * as Result from "effect/Result"
import * as Schema from "effect/Schema"
import * as ImageGenerateParams from "../ImageGenerateParams.ts"
import { GeneratedImage } from "../GeneratedImage.ts"
import * as ImageGenerateResponse from "../ImageGenerateResponse.ts"
import * as ImageGenStreamEvent from "../ImageGenStreamEvent.ts"
import * as Images from "../Images.ts"
import type { RecordedRequest } from "./RecordedRequest.ts"
import * as TestTransport from "./TestTransport.ts"

const decode = (base64: string): Uint8Array => Result.getOrThrow(Base64.decode(base64))

/**
 * A brown PNG, 74 bytes.
 *
 * @category images
 * @since 0.1.0
 */
export const png: Uint8Array = decode(
  "iVBORw0KGgoAAAANSUhEUgAAAAgAAAAICAIAAABLbSncAAAAEUlEQVQI12PojrPBihiGlgQAsyxJQdKEY5oAAAAASUVORK5CYII="
)

/**
 * A brown WebP, lossless, 38 bytes.
 *
 * @category images
 * @since 0.1.0
 */
export const webp: Uint8Array = decode("UklGRh4AAABXRUJQVlA4TBEAAAAvB8ABAAdQry6Wp/+BiOh/AAA=")

/**
 * A grey JPEG, baseline, 141 bytes.
 *
 * @category images
 * @since 0.1.0
 */
export const jpeg: Uint8Array = decode(
  "/9j/2wBDABALDA4MChAODQ4SERATGCgaGBYWGDEjJR0oOjM9PDkzODdASFxOQERXRTc4UG1RV19iZ2hnPk1xeXBkeFxlZ2P/" +
    "wAALCAAIAAgBAREA/8QAFAABAAAAAAAAAAAAAAAAAAAABP/EABQQAQAAAAAAAAAAAAAAAAAAAAD/2gAIAQEAAD8AG//Z"
)

/** The time of every response that `makeResponse` makes. It is fixed, so that equal images make equal responses. */
const created = DateTime.makeUnsafe(0)

/**
 * Makes a response with these images.
 *
 * @category constructors
 * @since 0.1.0
 */
export const makeResponse = (
  first: Uint8Array,
  ...rest: ReadonlyArray<Uint8Array>
): ImageGenerateResponse.ImageGenerateResponse => {
  const image = (bytes: Uint8Array) => new GeneratedImage({ bytes })
  return new ImageGenerateResponse.ImageGenerateResponse({ created, data: [image(first), ...rest.map(image)] })
}

/**
 * Makes the events of a successful stream: the last image is `Completed`, the others are `PartialImage`s.
 *
 * @category constructors
 * @since 0.1.0
 */
export const makeEvents = (
  ...images: Arr.NonEmptyReadonlyArray<Uint8Array>
): Arr.NonEmptyArray<ImageGenStreamEvent.ImageGenStreamEvent> =>
  Arr.map(images, (bytes, index) =>
    index === images.length - 1
      ? new ImageGenStreamEvent.Completed({ bytes })
      : new ImageGenStreamEvent.PartialImage({ bytes, partialImageIndex: index })
  )

/**
 * Provides `Images` with these functions. A call of a function that is not given dies.
 *
 * @example
 * ```ts
 * import { GradientError } from "@effect-gradient/core"
 * import { TestImages } from "@effect-gradient/core/testing"
 * import { Effect } from "effect"
 *
 * const refused = TestImages.layer({
 *   generate: () => Effect.fail(GradientError.fromReason(new GradientError.ContentPolicyError({})))
 * })
 * ```
 *
 * @category layers
 * @since 0.1.0
 */
export const layer = (functions: Partial<Images.Images["Service"]>): Layer.Layer<Images.Images> =>
  Layer.mock(Images.Images, functions)

const decodeParams = Schema.decodeUnknownEffect(ImageGenerateParams.Json)
const isStreaming = Schema.is(Schema.Struct({ stream: Schema.Literal(true) }))

const sampleOf = (outputFormat: string | undefined): Uint8Array =>
  outputFormat === "webp" ? webp : outputFormat === "jpeg" ? jpeg : png

const replyTo = Effect.fnUntraced(function* ({ body }: RecordedRequest, images: ReadonlyArray<Uint8Array>) {
  const { n = 1, outputFormat, partialImages = 0 } = yield* Effect.orDie(decodeParams(body))
  const replied = Arr.makeBy(n, (index) => images[index % images.length] ?? sampleOf(outputFormat))
  const withPartials = (bytes: Uint8Array) => makeEvents(...Arr.makeBy(partialImages + 1, () => bytes))
  return yield* isStreaming(body)
    ? TestTransport.events(replied.flatMap(withPartials))
    : TestTransport.response(makeResponse(...replied))
})

/**
 * Provides `Images` that returns these images. Each call gets as many as it asks for, in order from the first one, and
 * after the last one from the first one again. A partial image is the same as its final image. If no images are given,
 * each image is a small one: WebP or JPEG if the call asks for that format, else PNG. Params are checked as usual, and
 * `TestTransport.requests` returns the requests.
 *
 * @example
 * ```ts
 * import { Images } from "@effect-gradient/core"
 * import { TestImages } from "@effect-gradient/core/testing"
 * import { Effect } from "effect"
 *
 * Images.generate({ prompt: "A sea otter", outputFormat: "webp" }).pipe(
 *   Effect.map((response) => response.data[0].mediaType), // "image/webp"
 *   Effect.provide(TestImages.layerFixed())
 * )
 * ```
 *
 * @category layers
 * @since 0.1.0
 */
export const layerFixed = (
  ...images: ReadonlyArray<Uint8Array>
): Layer.Layer<Images.Images | TestTransport.TestTransport> =>
  // The layer fails only if an option is invalid, and no option is set here.
  Layer.orDie(TestTransport.layerImages((request) => replyTo(request, images)))
