/**
 * Functions on the stream of events from `Images.generateStream`.
 */
import type * as Arr from "effect/Array"
import * as Clock from "effect/Clock"
import * as DateTime from "effect/DateTime"
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as Stream from "effect/Stream"
import * as GradientError from "./GradientError.ts"
import type { ImageGenerateResponse } from "./ImageGenerateResponse.ts"
import type { Completed, ImageGenStreamEvent } from "./ImageGenStreamEvent.ts"
import { completedOf, responseOfCompleted } from "./internal/reply/decodeReply.ts"

/**
 * One `Completed` for each image of a response.
 *
 * @category converting
 * @since 0.1.0
 */
export const fromResponse = (response: ImageGenerateResponse): Arr.NonEmptyReadonlyArray<Completed> =>
  completedOf(response)

/**
 * Makes a response with the images of these events. All other fields come from the last event. If that event has no
 * time, `created` is `arrivedAt`.
 *
 * @category converting
 * @since 0.1.0
 */
export const toResponse = (
  events: Arr.NonEmptyReadonlyArray<Completed>,
  arrivedAt: DateTime.Utc
): ImageGenerateResponse => responseOfCompleted(events, { arrivedAt: DateTime.toEpochMillis(arrivedAt) })

/**
 * Runs a stream and returns its last `Completed`.
 *
 * @category consuming
 * @since 0.1.0
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
 * The progress of a stream at one event.
 *
 * @category consuming
 * @since 0.1.0
 */
export interface Progress {
  readonly event: ImageGenStreamEvent
  /** The number of images so far, including this one. */
  readonly images: number
  /** The bytes of these images together. */
  readonly bytes: number
  /** The time since the stream began to run. */
  readonly elapsed: Duration.Duration
}

/**
 * Runs `onProgress` for each event. The stream continues when it is done.
 *
 * @category consuming
 * @since 0.1.0
 */
export const tapProgress =
  <E2, R2>(onProgress: (progress: Progress) => Effect.Effect<unknown, E2, R2>) =>
  <E, R>(events: Stream.Stream<ImageGenStreamEvent, E, R>): Stream.Stream<ImageGenStreamEvent, E | E2, R | R2> =>
    Stream.unwrap(
      Effect.map(Clock.currentTimeMillis, (start) => {
        let images = 0
        let bytes = 0
        return Stream.tap(events, (event) =>
          Effect.flatMap(Clock.currentTimeMillis, (now) => {
            images++
            bytes += event.bytes.length
            return onProgress({ event, images, bytes, elapsed: Duration.millis(now - start) })
          })
        )
      })
    )
