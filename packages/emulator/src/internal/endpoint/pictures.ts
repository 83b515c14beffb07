/** The images of an order, painted or plain, and encoded. */
import * as Effect from "effect/Effect"
import { encode, encodeFlat, EncodingError } from "../painting/Encoding.ts"
import { paint, type PaintOptions } from "../painting/Painting.ts"
import { hashBits } from "../painting/Random.ts"
import type { Order } from "./Order.ts"

/** Image `index` of the order, finished or at a stage before. */
export type Draw = (
  order: Order,
  index: number,
  stage?: PaintOptions["stage"]
) => Effect.Effect<Uint8Array, EncodingError>

/** Paints from the prompt. Each image of an order has a seed of its own. */
const painted =
  (seed: number): Draw =>
  (order, index, stage) =>
    paint({
      prompt: order.prompt,
      seed: seed + index,
      width: order.width,
      height: order.height,
      background: order.background,
      quality: order.quality,
      ...(stage === undefined ? {} : { stage })
    }).pipe(
      Effect.flatMap((picture) => encode(picture, { format: order.format, compression: order.compression })),
      Effect.withSpan("Emulator.picture", { attributes: { index, ...stage } })
    )

/** More than a load test varies; an entry is some kilobytes. */
const mostKept = 256

/** One flat colour for each seed and stage. Equal images are encoded once, even if requested at the same time. */
const plain = (seed: number): Draw => {
  const made = new Map<string, Promise<Uint8Array>>()
  return ({ background, compression, format, height, width }, index, stage = { index: 1, of: 1 }) => {
    const flat = {
      width,
      height,
      bits: hashBits(stage.index, stage.of, seed + index),
      alpha: Number(background === "opaque")
    }
    const key = [...Object.values(flat), format, compression].join()
    return Effect.tryPromise({
      try: () => {
        const bytes = made.get(key) ?? encodeFlat(flat, { format, compression })
        if (made.size >= mostKept) made.clear()
        made.set(key, bytes)
        return bytes
      },
      catch: (cause) => new EncodingError({ format, cause })
    })
  }
}

export const make = (pictures: "painted" | "plain", seed: number): Draw =>
  pictures === "plain" ? plain(seed) : painted(seed)

/** What a reply and each event repeat of the order. */
export const settingsOf = ({ background, format, height, quality, width }: Order) => ({
  background,
  outputFormat: format,
  quality,
  size: `${width}x${height}`
})
