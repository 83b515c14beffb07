/**
 * Turns the reply of an attempt into the response for the caller.
 */
import { GradientError } from "@effect-gradient/core"
import type * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as Fiber from "effect/Fiber"
import * as HttpServerResponse from "effect/http/HttpServerResponse"
import * as Option from "effect/Option"
import type * as Scope from "effect/Scope"
import * as Stream from "effect/Stream"
import * as ApiError from "../ApiError.ts"
import type { Reply } from "../Attempts.ts"
import { relay } from "./relay.ts"
import { encoded, type EncodedReply } from "./slowCaller.ts"

type Bytes = Stream.Stream<Uint8Array, GradientError.GradientError>

/**
 * Whether the request was refused because of a repeated id, an unknown id, or a limit. Such a refusal is not a failure
 * of the service.
 */
const isRefusedHere = ({ reason }: GradientError.GradientError) =>
  reason.code === ApiError.duplicateAttempt ||
  (["RateLimitError", "NotFoundError", "ConflictError"].includes(reason._tag) && reason.reached === "NotSent")

/** Logs a failure for the operator, with the details that the caller does not get. */
const log = (error: GradientError.GradientError) =>
  isRefusedHere(error)
    ? Effect.logDebug("ImagesGateway: a request was refused", error)
    : Effect.logWarning("ImagesGateway: a request failed", error)

/** The failure if the service replies with JSON after the response headers of an event stream were already sent. */
const noEvents = GradientError.fromReason(
  new GradientError.InvalidResponseError({
    description: "a stream was requested, but the service replied with JSON after the headers of the stream were sent"
  })
)

/**
 * Makes a streamed response. The stream runs with the context of the request, so that its log entries have the
 * annotations of the request. Each chunk is sent by itself, because the server would copy several chunks into one.
 */
const streamed = (bytes: Bytes, contentType: string, headers: Readonly<Record<string, string>>) =>
  Effect.map(Effect.context(), (context) => {
    // This replaces the server's context, which has nothing that the stream needs. `Stream.provideContext` would merge
    // the two contexts for each chunk.
    const annotated = Stream.transformPull(Stream.rechunk(bytes, 1), (pull) =>
      Effect.succeed(Effect.updateContext<never, never>(() => context)(pull))
    )
    return HttpServerResponse.stream(annotated, { contentType, headers: { ...headers, "cache-control": "no-store" } })
  })

/**
 * Makes a JSON response. If the length is known, it has `content-length`, so that a client notices if the reply is cut
 * off.
 */
const json = (bytes: Bytes, length: string | undefined) =>
  streamed(Stream.tapError(bytes, log), "application/json", length === undefined ? {} : { "content-length": length })

/** The bytes of the reply, or the failure `noEvents` if it is JSON. */
const eventBytes = (reply: EncodedReply): Bytes => (reply._tag === "EventStream" ? reply.bytes : Stream.fail(noEvents))

interface Timeouts {
  readonly keepAlive: Duration.Input
  readonly readTimeout: Duration.Input
}

/**
 * Responds with the reply of the attempt. If the caller requested a stream and the reply takes longer than `keepAlive`,
 * the response headers are sent before the reply arrives, and comments are sent until it does.
 */
export const respond = Effect.fnUntraced(function* (
  attempt: Effect.Effect<Reply, GradientError.GradientError, Scope.Scope>,
  isStream: boolean,
  { keepAlive, readTimeout }: Timeouts
) {
  const events = (bytes: Bytes) => {
    const toEvent = (error: GradientError.GradientError) =>
      ApiError.toServerSentEvent(ApiError.fromGradientError(error))
    const relayed = relay(Stream.tapError(bytes, log), { keepAlive, toEvent })
    // Without the header `x-accel-buffering`, nginx would buffer the images.
    return streamed(relayed, "text/event-stream", { "x-accel-buffering": "no" })
  }

  const checked = <R>(reply: Effect.Effect<EncodedReply, GradientError.GradientError, R>) =>
    reply.pipe(Effect.tapError(log), Effect.mapError(ApiError.fromGradientError))
  const answer = (reply: EncodedReply) =>
    reply._tag === "Json" ? json(reply.bytes, reply.length) : events(reply.bytes)

  const encoding = encoded(attempt, readTimeout)
  if (!isStream) return yield* answer(yield* checked(encoding))
  const running = yield* Effect.forkScoped(encoding)
  const joined = Fiber.join(running)
  const reply = yield* Effect.timeoutOption(checked(joined), keepAlive)
  return yield* Option.isSome(reply) ? answer(reply.value) : events(Stream.unwrap(Effect.map(joined, eventBytes)))
})
