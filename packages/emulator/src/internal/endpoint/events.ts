/**
 * A streamed reply: partial images that refine towards the last one, at a pace, with comments while there is nothing
 * else to send. If the reader stops, so does the painter.
 */
import { ImageGenStreamEvent } from "@effect-gradient/core"
import * as DateTime from "effect/DateTime"
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as Stream from "effect/Stream"
import type { Frame } from "./Frame.ts"
import type { Order } from "./Order.ts"
import { type Draw, settingsOf } from "./pictures.ts"
import { usageOf } from "./usage.ts"

/** An image that is to be sent. */
interface Step {
  /** Which of the n. */
  readonly image: number
  /** Which stage of it, from 0; the last is `order.partialImages`. */
  readonly stage: number
}

/** Image by image, since a stream may be of any length. `lastFirst` is a fault. */
function* stepsOf({ n, partialImages = 0 }: Order, lastFirst: boolean): Generator<Step> {
  for (let image = 0; image < n; image++) {
    if (lastFirst) yield { image, stage: partialImages }
    for (let stage = 0; stage < partialImages; stage++) yield { image, stage }
    if (!lastFirst) yield { image, stage: partialImages }
  }
}

const eventOf = Effect.fnUntraced(function* (order: Order, draw: Draw, { image, stage }: Step) {
  const stages = (order.partialImages ?? 0) + 1
  const bytes = yield* draw(order, image, { index: stage + 1, of: stages })
  const fields = { bytes, createdAt: yield* DateTime.now, ...settingsOf(order) }
  return stage + 1 < stages
    ? new ImageGenStreamEvent.PartialImage({ ...fields, partialImageIndex: stage })
    : new ImageGenStreamEvent.Completed({ ...fields, usage: usageOf(order, 1) })
})

const frameOf = (event: ImageGenStreamEvent.ImageGenStreamEvent): Frame => ({
  kind: event._tag === "Completed" ? "completed" : "partial",
  text: ImageGenStreamEvent.toServerSentEvent(event)
})

const comment: Frame = { kind: "comment", text: ": keep-alive\n\n" }

/** The longest silence. Proxies often close a connection that is idle for a minute. */
const keepAliveMillis = 10_000

/** Waits, and sends comments meanwhile. */
const wait = (pace: Duration.Input): Stream.Stream<Frame> => {
  const millis = Duration.toMillis(pace)
  const comments = Math.max(0, Math.ceil(millis / keepAliveMillis) - 1)
  return Stream.concat(
    Stream.fromEffectRepeat(Effect.as(Effect.sleep(keepAliveMillis), comment)).pipe(Stream.take(comments)),
    Stream.fromEffectDrain(Effect.sleep(millis - comments * keepAliveMillis))
  )
}

/** The events of the order. Each image is made when it is its turn. */
export const eventFrames = (
  order: Order,
  { draw, lastFirst, pace }: { readonly draw: Draw; readonly pace: Duration.Input; readonly lastFirst: boolean }
): Stream.Stream<Frame> =>
  Stream.fromIterable({ [Symbol.iterator]: () => stepsOf(order, lastFirst) }, { chunkSize: 1 }).pipe(
    Stream.flatMap((step) =>
      Stream.concat(wait(pace), Stream.fromEffect(Effect.map(eventOf(order, draw, step), frameOf)))
    ),
    Stream.orDie
  )
