/**
 * `Images` for the tests of an application: from two functions, or with pictures that are always the same. And small
 * valid pictures, of 8 by 8 pixels, to answer with.
 */
import * as DateTime from "effect/DateTime"
import * as Effect from "effect/Effect"
import * as Base64 from "effect/encoding/Base64"
import * as Layer from "effect/Layer"
import * as Predicate from "effect/Predicate"
import * as Result from "effect/Result"
import * as ImageGenerateResponse from "../ImageGenerateResponse.ts"
import * as ImageGenStreamEvent from "../ImageGenStreamEvent.ts"
import * as Images from "../Images.ts"
import type { RecordedRequest } from "./RecordedRequest.ts"
import * as TestTransport from "./TestTransport.ts"

const decode = (base64: string): Uint8Array => Result.getOrThrow(Base64.decode(base64))

/**
 * A brown PNG, 74 bytes.
 *
 * @category pictures
 */
export const png: Uint8Array = decode(
  "iVBORw0KGgoAAAANSUhEUgAAAAgAAAAICAIAAABLbSncAAAAEUlEQVQI12PojrPBihiGlgQAsyxJQdKEY5oAAAAASUVORK5CYII="
)

/**
 * A brown WebP, lossless, 38 bytes.
 *
 * @category pictures
 */
export const webp: Uint8Array = decode("UklGRh4AAABXRUJQVlA4TBEAAAAvB8ABAAdQry6Wp/+BiOh/AAA=")

/**
 * A grey JPEG, baseline, 141 bytes.
 *
 * @category pictures
 */
export const jpeg: Uint8Array = decode(
  "/9j/2wBDABALDA4MChAODQ4SERATGCgaGBYWGDEjJR0oOjM9PDkzODdASFxOQERXRTc4UG1RV19iZ2hnPk1xeXBkeFxlZ2P/" +
    "wAALCAAIAAgBAREA/8QAFAABAAAAAAAAAAAAAAAAAAAABP/EABQQAQAAAAAAAAAAAAAAAAAAAAD/2gAIAQEAAD8AG//Z"
)

/**
 * `Images` from its functions. One that is left out is a defect when it is called, which says so.
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
 */
export const layer = (functions: Partial<Images.Images["Service"]>): Layer.Layer<Images.Images> =>
  Layer.mock(Images.Images, functions)

interface Wanted {
  readonly n: number
  readonly partials: number
  readonly isStream: boolean
  readonly outputFormat: string | undefined
}

const member = (body: unknown, name: string): unknown => (Predicate.hasProperty(body, name) ? body[name] : undefined)

const numberOr = (value: unknown, otherwise: number) => (Predicate.isNumber(value) ? value : otherwise)

const wantedOf = ({ body }: RecordedRequest): Wanted => {
  const outputFormat = member(body, "output_format")
  return {
    n: numberOr(member(body, "n"), 1),
    partials: numberOr(member(body, "partial_images"), 0),
    isStream: member(body, "stream") === true,
    outputFormat: Predicate.isString(outputFormat) ? outputFormat : undefined
  }
}

const pictureOf = (outputFormat: string | undefined): Uint8Array =>
  outputFormat === "webp" ? webp : outputFormat === "jpeg" ? jpeg : png

const answer = ({ isStream, n, outputFormat, partials }: Wanted, images: ReadonlyArray<Uint8Array>) => {
  const own = pictureOf(outputFormat)
  const bytes = (index: number) => images[index % images.length] ?? own
  if (isStream) {
    const on = Array.from(
      { length: partials },
      (_, index) => new ImageGenStreamEvent.PartialImage({ bytes: bytes(0), outputFormat, partialImageIndex: index })
    )
    const last = Array.from(
      { length: n },
      (_, index) => new ImageGenStreamEvent.Completed({ bytes: bytes(index), outputFormat })
    )
    return TestTransport.events([...on, ...last])
  }
  const image = (index: number) => new ImageGenerateResponse.GeneratedImage({ bytes: bytes(index), outputFormat })
  return Effect.flatMap(DateTime.now, (created) =>
    TestTransport.response(
      new ImageGenerateResponse.ImageGenerateResponse({
        created,
        data: [image(0), ...Array.from({ length: n - 1 }, (_, index) => image(index + 1))],
        outputFormat
      })
    )
  )
}

/**
 * `Images` that always answers with these images, in turn where several are asked for; without any, with a small
 * picture of the format that is asked for. The rules of the params hold, and `TestTransport.requests` tells what was
 * asked.
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
 */
export const layerFixed = (
  ...images: ReadonlyArray<Uint8Array>
): Layer.Layer<Images.Images | TestTransport.TestTransport> =>
  TestTransport.layerImages((request) => answer(wantedOf(request), images))
