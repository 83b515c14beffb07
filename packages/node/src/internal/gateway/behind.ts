/**
 * The way to the service behind: sends an order with the real key, once, and passes the reply on without decoding it.
 */
import { GradientClient, GradientError } from "@effect-gradient/core"
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as Fiber from "effect/Fiber"
import type * as HttpClientResponse from "effect/http/HttpClientResponse"
import * as HttpServerResponse from "effect/http/HttpServerResponse"
import * as Option from "effect/Option"
import * as Stream from "effect/Stream"
import * as ApiError from "./ApiError.ts"
import type { Order } from "./order.ts"
import { relay } from "./relay.ts"

type Response = HttpClientResponse.HttpClientResponse

const isEventStream = ({ headers }: Response) => /^text\/event-stream\b/i.test(headers["content-type"] ?? "")

/** What happened behind stands in the log, with all its details; the caller is told what it means for them. */
const told = (error: GradientError.GradientError): Effect.Effect<ApiError.ApiError> =>
  Effect.as(Effect.logWarning("ImagesGateway: the service behind failed", error), ApiError.fromGradientError(error))

const unanswered = (after: Duration.Duration) =>
  new GradientError.RequestTimeoutError({
    phase: "response",
    description: `no response for ${Duration.format(after)}`
  })

const idle = (after: Duration.Duration) =>
  new GradientError.RequestTimeoutError({
    phase: "idle",
    description: `no byte came for ${Duration.format(after)}`,
    progress: "Accepted"
  })

/** Known too late: the caller was told that events come. */
const noEvents = ({ status }: Response) =>
  new GradientError.InvalidResponseError({ description: "a stream was asked for and none came", status })

const disconnected = (cause: unknown) => new GradientError.DisconnectedError({ progress: "Accepted", cause })

/** The server joins chunks that come together, which would copy every picture once more. */
const oneByOne = Stream.rechunk(1)

/** Sends orders. The request behind ends with the scope of the caller's own, so it ends when the caller leaves. */
export const makeSend = Effect.fnUntraced(function* (keepAlive: Duration.Input) {
  const client = yield* GradientClient.GradientClient
  const timeout = Duration.fromInputUnsafe(client.waiting.timeout ?? "10 minutes")
  const idleTimeout = Duration.fromInputUnsafe(client.waiting.idleTimeout ?? "5 minutes")

  const post = (body: object) =>
    client.post("/images/generations", body).pipe(
      Effect.timeoutOrElse({
        duration: timeout,
        orElse: () => Effect.fail(GradientError.fromReason(unanswered(timeout)))
      })
    )

  const bytes = ({ stream }: Response) =>
    stream.pipe(
      Stream.mapError((cause) => GradientError.fromReason(disconnected(cause))),
      Stream.timeoutOrElse({
        duration: idleTimeout,
        orElse: () => Stream.fail(GradientError.fromReason(idle(idleTimeout)))
      })
    )

  const eventsOf = (response: Response) =>
    isEventStream(response) ? bytes(response) : Stream.fail(GradientError.fromReason(noEvents(response)))

  /** A reply that is no stream. Its length is kept, so that a cut one cannot look whole. */
  const whole = (response: Response, headers: Record<string, string>) => {
    const { "content-encoding": encoding, "content-length": length } = response.headers
    const isKnown = length !== undefined && encoding === undefined
    return HttpServerResponse.stream(oneByOne(bytes(response)), {
      contentType: "application/json",
      headers: { ...headers, "cache-control": "no-store", ...(isKnown ? { "content-length": length } : {}) }
    })
  }

  const events = (source: Stream.Stream<Uint8Array, GradientError.GradientError>, headers: Record<string, string>) =>
    HttpServerResponse.stream(
      oneByOne(relay(source, { keepAlive, toEvent: (error) => Effect.map(told(error), ApiError.toEvent) })),
      {
        contentType: "text/event-stream",
        // The last is for nginx, which would hold the pictures back.
        headers: { ...headers, "cache-control": "no-store", "x-accel-buffering": "no" }
      }
    )

  return Effect.fnUntraced(function* ({ body, isStream }: Order, headers: Record<string, string>) {
    const answer = yield* Effect.forkScoped(post(body))
    const head = Fiber.join(answer).pipe(Effect.catch((error) => Effect.flatMap(told(error), Effect.fail)))
    const come = isStream ? yield* Effect.timeoutOption(head, keepAlive) : Option.some(yield* head)
    if (Option.isNone(come)) return events(Stream.unwrap(Effect.map(Fiber.join(answer), eventsOf)), headers)
    return isEventStream(come.value) ? events(bytes(come.value), headers) : whole(come.value, headers)
  })
})
