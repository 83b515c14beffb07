/**
 * Reads a reply's body: a response from JSON, or the events of a stream as they end.
 */
import * as Arr from "effect/Array"
import * as Cause from "effect/Cause"
import * as Channel from "effect/Channel"
import * as Clock from "effect/Clock"
import * as Effect from "effect/Effect"
import type * as HttpClientError from "effect/http/HttpClientError"
import type * as HttpClientResponse from "effect/http/HttpClientResponse"
import * as Pull from "effect/Pull"
import * as Stream from "effect/Stream"
import * as GradientError from "../../GradientError.ts"
import { GeneratedImage } from "../../GeneratedImage.ts"
import type { ImageGenStreamEvent } from "../../ImageGenStreamEvent.ts"
import { SseParser, type RawEvent } from "./SseParser.ts"
import type { Limits } from "./limits.ts"
import { ImageJsonParser } from "./ImageJsonParser.ts"
import * as Reply from "./decodeReply.ts"
import { reasonOfFailure } from "../failure/transportFailure.ts"
import { type Activity, type Patience, watch } from "./readTimeouts.ts"

type Reason = GradientError.GradientErrorReason

/** A response that has begun, and what holds for reading it. */
export interface Reading {
  readonly response: HttpClientResponse.HttpClientResponse
  readonly head: Reply.Head
  /** How many images were asked for. */
  readonly n: number
  /** How many partial images of each image were asked for. */
  readonly partialImages: number
  readonly limits: Limits
  readonly patience: Patience
}

type Chunks = Arr.NonEmptyReadonlyArray<Uint8Array>
type BodyPull = Pull.Pull<Chunks, HttpClientError.HttpClientError>

/** Opens the body for a single reader: `Stream.toPull` would guard each pull against others, at a price for each chunk. */
const openBody = ({ stream }: HttpClientResponse.HttpClientResponse) =>
  Effect.flatMap(Effect.scope, (scope) => Channel.toPullScoped(stream.channel, scope))

/** Over fetch, a reply without a body is an error where others give an empty one. */
const isEmptyBody = ({ reason }: HttpClientError.HttpClientError) => reason._tag === "EmptyBodyError"

/** Pulls chunks into `take` until it gives something or the body ends: then it is `undefined`. */
const pullUntil = <A>(
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

/** Reads with the watchdog; both ways to fail give what was decoded so far. */
const watched = <A>(
  { head, patience }: Reading,
  read: (activity: Activity) => Effect.Effect<A, HttpClientError.HttpClientError>,
  images: () => ReadonlyArray<GeneratedImage>
): Effect.Effect<A, Reason> => {
  const facts = () => ({ ...head.facts, images: images() })
  const activity: Activity = { lastByteAt: 0 }
  return watch(
    Effect.mapError(read(activity), (error) => reasonOfFailure(error, facts())),
    activity,
    patience,
    (phase, description) =>
      new GradientError.RequestTimeoutError({ ...facts(), phase, description, progress: "Accepted" })
  )
}

/** The images of a JSON reply are about this large each. */
const expectedBytes = ({ n, response }: Reading): number => {
  const length = Number(response.headers["content-length"])
  return Number.isSafeInteger(length) ? Math.ceil((length * 3) / 4 / n) : 0
}

/** Reads a JSON reply: done as soon as its value is closed, and not before. */
export const readResponse = Effect.fnUntraced(function* (reading: Reading) {
  const { head, limits, response } = reading
  const payload = new ImageJsonParser("response", limits, expectedBytes(reading))
  const pull = yield* openBody(response)
  const images = () => Reply.bareImages(payload.images)
  const read = (activity: Activity) =>
    pullUntil(pull, activity, (chunks) => {
      for (const chunk of chunks) payload.write(chunk, 0, false)
      return payload.closed || payload.problem !== undefined ? true : undefined
    })
  yield* watched(reading, read, images)
  const lifted = payload.finish()
  const problem = payload.problem ?? (payload.closed ? undefined : "it ends before its JSON is closed")
  if (problem !== undefined) return yield* Reply.invalidResponse(head, problem, images())
  return yield* Effect.fromResult(Reply.responseOf(lifted, head))
})

/** Events that came together. */
export type Events = Arr.NonEmptyReadonlyArray<ImageGenStreamEvent>

/** Reads what answers a stream's request: events, or a response as JSON, whose images are complete. */
export const readStream = (reading: Reading) =>
  reading.head.isEventStream
    ? readEvents(reading)
    : Effect.flatMap(readResponse(reading), (response) => Stream.toPull(Stream.fromArray(Reply.completedOf(response))))

/** Reads a stream: each pull gives the events that have ended, as soon as there are some. */
const readEvents = Effect.fnUntraced(function* (reading: Reading) {
  const { head, limits, n, response } = reading
  const stream = new SseParser(limits, Reply.isWanted, { bytes: 0 })
  const pull = yield* openBody(response)
  let completed = 0
  let isComplete = false
  let last: ReadonlyArray<GeneratedImage> = []
  /** Names of events that mean nothing here, and are still to be logged. */
  const skipped: Array<string> = []
  /** How the stream ends, once that is known: what was read before it is given out first. */
  let end: Pull.Pull<never, Reason> | undefined

  const carried = () => {
    const pending = Reply.bareImages(stream.pendingImages)
    return pending.length > 0 ? pending : last
  }
  /** Fewer images than were asked for may come, but none may be left half done. */
  const incomplete = () =>
    isComplete
      ? Cause.done()
      : Effect.fail(new GradientError.IncompleteStreamError({ ...head.facts, images: carried() }))
  const take = (chunks: Chunks): Array<ImageGenStreamEvent> | undefined => {
    const events: Array<ImageGenStreamEvent> = []
    const raws: Array<RawEvent> = []
    for (const chunk of chunks) stream.write(chunk, raws)
    for (const raw of raws) {
      const meaning = Reply.meaningOf(raw, head, last)
      if (end !== undefined) break
      if (meaning._tag === "Event") {
        events.push(meaning.event)
        last = [new GeneratedImage({ bytes: meaning.event.bytes, outputFormat: meaning.event.outputFormat })]
        isComplete = meaning.event._tag === "Completed"
        if (isComplete && ++completed === n) end = Cause.done()
      } else if (meaning._tag === "Done") end = incomplete()
      else if (meaning._tag === "Failed") end = Effect.fail(meaning.reason)
      else if (meaning.name !== "") skipped.push(meaning.name.slice(0, 100))
    }
    if (stream.problem !== undefined) end ??= Effect.fail(Reply.invalidResponse(head, stream.problem, carried()))
    return events.length > 0 || skipped.length > 0 || end !== undefined ? events : undefined
  }
  const logSkipped = Effect.suspend(() =>
    Effect.forEach(skipped.splice(0), (name) => Effect.logDebug(`Passed over an event: ${name}`))
  )

  const next: Pull.Pull<Events, Reason> = Effect.suspend(() => {
    if (end !== undefined) return end
    return watched(reading, (activity) => pullUntil(pull, activity, take), carried).pipe(
      Effect.catch((reason) => {
        end = Effect.fail(reason)
        return Effect.succeed([])
      }),
      Effect.tap(() => logSkipped),
      Effect.flatMap((events): Pull.Pull<Events, Reason> => {
        if (events === undefined) end = incomplete()
        return events !== undefined && Arr.isReadonlyArrayNonEmpty(events) ? Effect.succeed(events) : next
      })
    )
  })
  return next
})
