/** An order's pictures, painted and encoded. */
import * as Effect from "effect/Effect"
import { encode, type EncodingError } from "../painting/Encoding.ts"
import { paint, type PaintOptions } from "../painting/Painting.ts"
import type { Order } from "./Order.ts"

/** Picture `index` of the order, at a stage on its way or finished; each one has a seed of its own. */
export const picture = (
  order: Order,
  seed: number,
  index: number,
  stage?: PaintOptions["stage"]
): Effect.Effect<Uint8Array, EncodingError> =>
  paint({
    prompt: order.prompt,
    seed: seed + index,
    width: order.width,
    height: order.height,
    background: order.background,
    quality: order.quality,
    ...(stage === undefined ? {} : { stage })
  }).pipe(
    Effect.flatMap((painted) => encode(painted, { format: order.format, compression: order.compression })),
    Effect.withSpan("Emulator.picture", { attributes: { index, ...stage } })
  )

/** What a reply and each event repeat of the order. */
export const settingsOf = ({ background, format, height, quality, width }: Order) => ({
  background,
  outputFormat: format,
  quality,
  size: `${width}x${height}`
})
