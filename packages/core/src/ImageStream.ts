/**
 * Functions for the stream of events that `Images.generateStream` returns.
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
 * Turns a response into the events of a stream: one `Completed` for each image, with the `usage` of the whole response.
 *
 * @category converting
 * @since 0.1.0
 */
export const fromResponse = (response: ImageGenerateResponse): Arr.NonEmptyReadonlyArray<Completed> =>
  completedOf(response)

/**
 * Makes a response with the images of these events. `usage` comes from the last event that has one, and all other
 * fields from the last event. If the last event has no `createdAt`, `created` is `arrivedAt`.
 *
 * @category converting
 * @since 0.1.0
 */
export const toResponse = (
  events: Arr.NonEmptyReadonlyArray<Completed>,
  arrivedAt: DateTime.Utc
): ImageGenerateResponse => responseOfCompleted(events, { arrivedAt: DateTime.toEpochMillis(arrivedAt) })

/**
 * Runs a stream to its end and returns its last `Completed`. Fails with `IncompleteStreamError` if there is none.
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
 * The progress of a stream when an event arrives.
 *
 * @category consuming
 * @since 0.1.0
 */
export interface Progress {
  readonly event: ImageGenStreamEvent
  /** How many images have arrived so far, partial ones included. */
  readonly images: number
  /** The total number of bytes of all images that have arrived so far, partial ones included. */
  readonly bytes: number
  /** The time since the stream was started. */
  readonly elapsed: Duration.Duration
}

/**
 * Runs `onProgress` for each event. The event is passed on when `onProgress` has succeeded.
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
