/**
 * Reads the body of a reply chunk by chunk, within its timeouts. `openReply` uses this module for the start of a body,
 * `readJson` and `readEvents` for the rest.
 */
import type * as Arr from "effect/Array"
import * as Channel from "effect/Channel"
import * as Clock from "effect/Clock"
import * as Effect from "effect/Effect"
import type * as HttpClientError from "effect/http/HttpClientError"
import type * as HttpClientResponse from "effect/http/HttpClientResponse"
import * as Pull from "effect/Pull"
import type { GeneratedImage } from "../../GeneratedImage.ts"
import * as GradientError from "../../GradientError.ts"
import { reasonOfFailure } from "../failure/transportFailure.ts"
import type { Head } from "./decodeReply.ts"
import type { Limits } from "./limits.ts"
import { type Activity, type ReadTimeouts, watch } from "./readTimeouts.ts"

type Reason = GradientError.GradientErrorReason

/** A response whose head has arrived, with the limits and timeouts for reading its body. */
export interface IncomingReply {
  readonly response: HttpClientResponse.HttpClientResponse
  readonly head: Head
  /** How many images the call requested. */
  readonly n: number
  /** How many partial images of each image the call requested. */
  readonly partialImages: number
  readonly limits: Limits
  readonly timeouts: ReadTimeouts
  /**
   * Called when the JSON of the reply is complete, when a stream has succeeded, or when an event ended the stream with
   * an error. The body may have more bytes, which are not needed.
   */
  readonly onWhole: () => void
}

export type Chunks = Arr.NonEmptyReadonlyArray<Uint8Array>
export type BodyPull = Pull.Pull<Chunks, HttpClientError.HttpClientError>

/**
 * Opens the body for a single reader. `Stream.toPull` would also guard against concurrent pulls, which costs time for
 * each chunk.
 */
export const openBody = ({ stream }: HttpClientResponse.HttpClientResponse) =>
  Effect.flatMap(Effect.scope, (scope) => Channel.toPullScoped(stream.channel, scope))

/** Whether an error only means that the reply has no body. With fetch, reading such a reply fails with this error. */
const isEmptyBody = ({ reason }: HttpClientError.HttpClientError) => reason._tag === "EmptyBodyError"

/**
 * Pulls chunks and passes them to `take` until `take` returns a value. Returns `undefined` if the body ends before
 * that.
 */
export const pullUntil = <A>(
  pull: BodyPull,
  activity: Activity,
  take: (chunks: Chunks) => A | undefined
): Effect.Effect<A | undefined, HttpClientError.HttpClientError> =>
  Effect.flatMap(Clock.Clock, (clock) => {
    const loop: Pull.Pull<A, HttpClientError.HttpClientError> = Effect.flatMap(pull, (chunks) => {
      activity.lastByteAt = clock.currentTimeMillisUnsafe()
      const taken = take(chunks)
      return taken === undefined ? loop : Effect.succeed(taken)
    })
    return Pull.catchDone(loop, () => Effect.undefined).pipe(Effect.catchIf(isEmptyBody, () => Effect.undefined))
  })

/**
 * Runs a read of the body with timeouts. If the read fails or takes too long, the reason carries the images that
 * `images` returns.
 */
export const watched = <A>(
  { head, timeouts }: IncomingReply,
  read: (activity: Activity) => Effect.Effect<A, HttpClientError.HttpClientError>,
  images: () => ReadonlyArray<GeneratedImage>
): Effect.Effect<A, Reason> => {
  const fields = () => ({ ...head.fields, images: images() })
  const activity: Activity = { lastByteAt: 0 }
  return watch(
    Effect.mapError(read(activity), (error) => reasonOfFailure(error, fields())),
    activity,
    timeouts,
    (phase, description) =>
      new GradientError.RequestTimeoutError({ ...fields(), phase, description, reached: "Accepted" })
  )
}
