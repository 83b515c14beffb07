/**
 * What arrives on the way when an image is streamed: `PartialImage`s, each sharper than the last, then `Completed`.
 */
import * as Clock from "effect/Clock"
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as Inspectable from "effect/Inspectable"
import * as Schema from "effect/Schema"
import * as Stream from "effect/Stream"
import * as GradientError from "./GradientError.ts"
import { headerFields, ImageBytes, settingsFields, Usage } from "./ImageGenerateResponse.ts"
import { optional, UnixSeconds } from "./internal/fields.ts"

const eventFields = {
  /** When the event was made. Wire: `created_at`, Unix seconds. */
  createdAt: optional(UnixSeconds),
  ...settingsFields
}

const eventKeys = { _tag: "type", bytes: "b64_json", createdAt: "created_at", outputFormat: "output_format" } as const

/**
 * A picture on the way to the final one. Wire: `image_generation.partial_image`.
 *
 * @category models
 */
export class PartialImage extends ImageBytes.extend<PartialImage>("@effect-gradient/core/PartialImage")({
  _tag: Schema.Literal("image_generation.partial_image")
    .transform("PartialImage")
    .pipe(Schema.withConstructorDefault(Effect.succeed("PartialImage" as const))),
  /** Which partial image this is, from 0. Wire: `partial_image_index`. */
  partialImageIndex: Schema.Int.check(Schema.isGreaterThanOrEqualTo(0)),
  ...eventFields
}) {
  override toString(): string {
    return Inspectable.toStringUnknown(this)
  }
}

/**
 * The final picture. A stream that ends well ends with it. Wire: `image_generation.completed`.
 *
 * @category models
 */
export class Completed extends ImageBytes.extend<Completed>("@effect-gradient/core/Completed")({
  _tag: Schema.Literal("image_generation.completed")
    .transform("Completed")
    .pipe(Schema.withConstructorDefault(Effect.succeed("Completed" as const))),
  /** The prompt that was used in the end. Wire: `revised_prompt`. */
  revisedPrompt: optional(Schema.String),
  usage: optional(Usage),
  ...eventFields,
  ...headerFields
}) {
  override toString(): string {
    return Inspectable.toStringUnknown(this)
  }
}

/**
 * One event of `Images.generateStream`.
 *
 * @category models
 */
export type ImageGenStreamEvent = PartialImage | Completed

/**
 * The codec whose encoded side is the event's data with bytes where the wire has base64. Decoding keeps the same
 * buffer.
 *
 * @category codecs
 */
export const Lifted = Schema.Union([
  PartialImage.pipe(Schema.encodeKeys({ ...eventKeys, partialImageIndex: "partial_image_index" })),
  Completed.pipe(Schema.encodeKeys({ ...eventKeys, revisedPrompt: "revised_prompt" }))
])

/**
 * The codec whose encoded side is the event's data as JSON, base64 included: for servers.
 *
 * @category codecs
 */
export const Json = /* @__PURE__ */ Schema.toCodecJson(Lifted)

/**
 * Runs a stream and gives the final image alone.
 *
 * @category consuming
 */
export const runCompleted = <E, R>(
  events: Stream.Stream<ImageGenStreamEvent, E, R>
): Effect.Effect<Completed, E | GradientError.GradientError, R> =>
  Stream.runFold(
    events,
    (): Completed | undefined => undefined,
    (last, event) => (event._tag === "Completed" ? event : last)
  ).pipe(
    Effect.flatMap((completed) =>
      completed === undefined
        ? Effect.fail(GradientError.fromReason(new GradientError.IncompleteStreamError({})))
        : Effect.succeed(completed)
    )
  )

/**
 * How far a stream has come with this event.
 *
 * @category consuming
 */
export interface Progress {
  readonly event: ImageGenStreamEvent
  /** Pictures so far, this one included. */
  readonly pictures: number
  /** Bytes of all of them. */
  readonly bytes: number
  /** Since the stream was run. */
  readonly elapsed: Duration.Duration
}

/**
 * Calls `onProgress` with each event; the stream goes on when that is done.
 *
 * @category consuming
 */
export const tapProgress =
  <E2, R2>(onProgress: (progress: Progress) => Effect.Effect<unknown, E2, R2>) =>
  <E, R>(events: Stream.Stream<ImageGenStreamEvent, E, R>): Stream.Stream<ImageGenStreamEvent, E | E2, R | R2> =>
    Stream.unwrap(
      Effect.map(Clock.currentTimeMillis, (start) => {
        let pictures = 0
        let bytes = 0
        return Stream.tap(events, (event) =>
          Effect.flatMap(Clock.currentTimeMillis, (now) => {
            pictures++
            bytes += event.bytes.length
            return onProgress({ event, pictures, bytes, elapsed: Duration.millis(now - start) })
          })
        )
      })
    )
