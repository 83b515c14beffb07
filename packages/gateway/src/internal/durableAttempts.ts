/**
 * Makes attempts through `@effect-gradient/durable`. The gateway imports only types from that package, so that it also
 * works if the package is not installed.
 */
import {
  Attempt,
  GradientError,
  ImageGenerateResponse,
  ImageGenStreamEvent,
  Images,
  ImageStream,
  RetryPolicy
} from "@effect-gradient/core"
import type { DurableImages } from "@effect-gradient/durable"
import * as Arr from "effect/Array"
import * as Context from "effect/Context"
import * as Effect from "effect/Effect"
import * as Pull from "effect/Pull"
import * as Stream from "effect/Stream"
import * as Struct from "effect/Struct"
import type { Attempts, Reply, Request, RequestId } from "../Attempts.ts"

/** The service `DurableImages`, found by its key, so that the package is not imported. */
const Durable = Context.Service<DurableImages.DurableImages, DurableImages.DurableImages["Service"]>(
  "@effect-gradient/durable/DurableImages"
)

const keyOf = ({ attempt, caller, request }: RequestId) => `${caller}/${attempt ?? request}`

/** Waits for the first event, so that a failure before it can be answered with the HTTP status of that failure. */
const eventsReply = Effect.fnUntraced(function* (
  events: Stream.Stream<ImageGenStreamEvent.ImageGenStreamEvent, GradientError.GradientError>
) {
  const pull = yield* Stream.toPull(events)
  const first = yield* Pull.catchDone(pull, () =>
    Effect.fail(GradientError.fromReason(new GradientError.IncompleteStreamError({})))
  )
  const reply: Reply = {
    _tag: "Events",
    events: Stream.concat(Stream.fromArray(first), Stream.fromPull(Effect.succeed(pull)))
  }
  return reply
})

const responseReply = Effect.map((response: Extract<Reply, { _tag: "Response" }>["response"]): Reply => ({
  _tag: "Response",
  response
}))

/**
 * Makes a reply of images that are already stored. They are encoded while they are read from the store, so that a
 * caller who reads slowly does not keep the images in memory.
 */
const storedReply = ({ images, outline }: DurableImages.Stored, kind: Request["kind"]): Reply => {
  if (kind === "generate") {
    const { bytes, length } = ImageGenerateResponse.toJsonPieces(outline, images)
    return { _tag: "Json", bytes, length: String(length) }
  }
  const events = Stream.fromIterable(Arr.zip(ImageStream.fromResponse(outline), images))
  const bytes = Stream.flatMap(
    events,
    ([event, image]) => ImageGenStreamEvent.toServerSentEventPieces(event, image).bytes
  )
  return { _tag: "EventStream", bytes }
}

const isUnknown = ({ reason }: GradientError.GradientError) =>
  reason._tag === "NotFoundError" && reason.reached === "NotSent"

export const makeDurable = Effect.gen(function* () {
  const images = yield* Images.Images
  const durable = yield* Durable

  const ask = ({ kind, params }: Request, idempotencyKey: string) => {
    // The gateway does not retry, neither here nor in `Attempts.layerOnce`. The caller decides whether to send the
    // request again.
    const options = { idempotencyKey, retry: RetryPolicy.none }
    return kind === "stream"
      ? eventsReply(images.generateStream(params, options))
      : responseReply(images.generate(Struct.omit(params, ["partialImages"]), options))
  }

  const join = Effect.fnUntraced(function* (key: string, kind: Request["kind"], params?: Request["params"]) {
    const { events, response, stored } = yield* durable.join(key, params)
    if (stored !== undefined) return storedReply(stored, kind)
    return yield* kind === "stream" ? eventsReply(events) : responseReply(response)
  })

  const attempts: Attempts["Service"] = {
    run: (id, request, limit) => {
      const key = keyOf(id)
      const asked = Effect.updateService(ask(request, key), Attempt.Around, (entries) => [limit, ...entries])
      // The gateway has just made this id, so there is no generation to join.
      if (id.attempt === undefined) return asked
      return Effect.catchIf(join(key, request.kind, request.params), isUnknown, () => asked)
    },
    join: (id, kind) => join(keyOf({ ...id, attempt: undefined }), kind)
  }
  return attempts
})
