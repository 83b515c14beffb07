/**
 * The events of a streamed reply: for each image its partial images, then the final one, which comes first with the
 * fault `completed-first`. Before each event there is a wait of `pace`; a long wait has comments. An image is painted
 * only when its event is pulled, so painting stops when the client leaves.
 */
import { ImageGenStreamEvent } from "@effect-gradient/core"
import * as DateTime from "effect/DateTime"
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as Stream from "effect/Stream"
import { type Draw, settingsOf } from "./drawImage.ts"
import type { ReplyPart } from "./faultyText.ts"
import type { GenerationRequest } from "./GenerationRequest.ts"
import { usageOf } from "./usage.ts"

interface EventContent {
  /** The index of the image, from 0. */
  readonly image: number
  /** The index of the partial image, from 0. The value `partialImages` stands for the final image. */
  readonly stage: number
}

/**
 * Yields which image each event contains, in order. This is a generator, because a stream may have any number of
 * events. `finalFirst` is set for the fault `completed-first`.
 */
function* contentsOf({ n, partialImages = 0 }: GenerationRequest, finalFirst: boolean): Generator<EventContent> {
  for (let image = 0; image < n; image++) {
    if (finalFirst) yield { image, stage: partialImages }
    for (let stage = 0; stage < partialImages; stage++) yield { image, stage }
    if (!finalFirst) yield { image, stage: partialImages }
  }
}

const eventOf = Effect.fnUntraced(function* (request: GenerationRequest, draw: Draw, { image, stage }: EventContent) {
  const stages = (request.partialImages ?? 0) + 1
  const bytes = yield* draw(request, image, { index: stage + 1, of: stages })
  const fields = { bytes, createdAt: yield* DateTime.now, ...settingsOf(request) }
  return stage + 1 < stages
    ? new ImageGenStreamEvent.PartialImage({ ...fields, partialImageIndex: stage })
    : new ImageGenStreamEvent.Completed({ ...fields, usage: usageOf(request, 1) })
})

const partOf = (event: ImageGenStreamEvent.ImageGenStreamEvent): ReplyPart => ({
  kind: event._tag === "Completed" ? "completed" : "partial",
  text: ImageGenStreamEvent.toServerSentEvent(event)
})

const comment: ReplyPart = { kind: "comment", text: ": keep-alive\n\n" }

/** The time after which a wait has its next comment. Proxies often close a connection that is idle for a minute. */
const keepAliveMillis = 10_000

/** Waits for the time `pace`. During a long wait it sends a comment after each `keepAliveMillis`. */
const wait = (pace: Duration.Input): Stream.Stream<ReplyPart> => {
  const millis = Duration.toMillis(pace)
  const comments = Math.max(0, Math.ceil(millis / keepAliveMillis) - 1)
  return Stream.concat(
    Stream.fromEffectRepeat(Effect.as(Effect.sleep(keepAliveMillis), comment)).pipe(Stream.take(comments)),
    Stream.fromEffectDrain(Effect.sleep(millis - comments * keepAliveMillis))
  )
}

export const eventParts = (
  request: GenerationRequest,
  { draw, finalFirst, pace }: { readonly draw: Draw; readonly pace: Duration.Input; readonly finalFirst: boolean }
): Stream.Stream<ReplyPart> =>
  Stream.fromIterable({ [Symbol.iterator]: () => contentsOf(request, finalFirst) }, { chunkSize: 1 }).pipe(
    Stream.flatMap((content) =>
      Stream.concat(wait(pace), Stream.fromEffect(Effect.map(eventOf(request, draw, content), partOf)))
    ),
    Stream.orDie
  )
