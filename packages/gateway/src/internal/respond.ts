/**
 * From the reply of an attempt to the response for the caller, whichever form the reply has.
 */
import { GradientError, ImageGenerateResponse, ImageGenStreamEvent } from "@effect-gradient/core"
import type * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as Fiber from "effect/Fiber"
import * as HttpServerResponse from "effect/http/HttpServerResponse"
import * as Option from "effect/Option"
import * as Schema from "effect/Schema"
import type * as Scope from "effect/Scope"
import * as Stream from "effect/Stream"
import * as ApiError from "../ApiError.ts"
import type { Reply } from "../Attempts.ts"
import { relay } from "./relay.ts"

type Bytes = Stream.Stream<Uint8Array, GradientError.GradientError>

/** Whether the gateway itself refused the request: a repeated id, or a caller over the limit. */
const isRefusedHere = ({ reason }: GradientError.GradientError) =>
  reason.code === ApiError.duplicateAttempt || (reason._tag === "RateLimitError" && reason.reached === "NotSent")

/** The log has every detail of a failure, for the operator. The caller reads only what it means for them. */
const log = (error: GradientError.GradientError) =>
  isRefusedHere(error)
    ? Effect.logDebug("ImagesGateway: a request was refused", error)
    : Effect.logWarning("ImagesGateway: a request failed", error)

/** The event-stream headers were already sent when the service replied with JSON. */
const noEvents = GradientError.fromReason(
  new GradientError.InvalidResponseError({ description: "a stream was asked for, and JSON came after its headers" })
)

const encodeResponse = Schema.encodeSync(Schema.fromJsonString(ImageGenerateResponse.Json))

/** Keeps the log's annotations, and passes on chunk by chunk: the server would copy several into one. */
const streamed = (bytes: Bytes, contentType: string, headers: Readonly<Record<string, string>>) =>
  Effect.map(Effect.context(), (context) =>
    HttpServerResponse.stream(bytes.pipe(Stream.rechunk(1), Stream.provideContext(context)), {
      contentType,
      headers: { ...headers, "cache-control": "no-store" }
    })
  )

/** The length is kept, so that a reply that was cut off cannot look whole. */
const json = (bytes: Bytes, length: string | undefined) =>
  streamed(Stream.tapError(bytes, log), "application/json", length === undefined ? {} : { "content-length": length })

/** The bytes of a reply in the form of events. */
const eventBytes = (reply: Reply): Bytes => {
  switch (reply._tag) {
    case "EventStream":
      return reply.bytes
    case "Events":
      return reply.events.pipe(Stream.map(ImageGenStreamEvent.toServerSentEvent), Stream.encodeText)
    case "Json":
    case "Response":
      return Stream.fail(noEvents)
  }
}

const wholeResponse = (response: ImageGenerateResponse.ImageGenerateResponse) =>
  Effect.sync(() =>
    HttpServerResponse.text(encodeResponse(response), {
      contentType: "application/json",
      headers: { "cache-control": "no-store" }
    })
  )

/**
 * Answers with the reply of this attempt. If the caller asked for events and the reply takes longer than `keepAlive`, the
 * headers go out before it, and comments follow.
 */
export const respond = Effect.fnUntraced(function* (
  attempt: Effect.Effect<Reply, GradientError.GradientError, Scope.Scope>,
  isStream: boolean,
  keepAlive: Duration.Input
) {
  const events = (bytes: Bytes) => {
    const toEvent = (error: GradientError.GradientError) =>
      ApiError.toServerSentEvent(ApiError.fromGradientError(error))
    const relayed = relay(Stream.tapError(bytes, log), { keepAlive, toEvent })
    // nginx would otherwise collect the images before it passes them on.
    return streamed(relayed, "text/event-stream", { "x-accel-buffering": "no" })
  }

  const running = yield* Effect.forkScoped(attempt)
  const arrived = Fiber.join(running)
  const checked = arrived.pipe(Effect.tapError(log), Effect.mapError(ApiError.fromGradientError))
  const reply = isStream ? yield* Effect.timeoutOption(checked, keepAlive) : Option.some(yield* checked)
  if (Option.isNone(reply)) return yield* events(Stream.unwrap(Effect.map(arrived, eventBytes)))
  switch (reply.value._tag) {
    case "Json":
      return yield* json(reply.value.bytes, reply.value.length)
    case "Response":
      return yield* wholeResponse(reply.value.response)
    case "EventStream":
    case "Events":
      return yield* events(eventBytes(reply.value))
  }
})
