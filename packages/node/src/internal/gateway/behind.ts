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
type Bytes = Stream.Stream<Uint8Array, GradientError.GradientError>

const isEventStream = ({ headers }: Response) => /^text\/event-stream\b/i.test(headers["content-type"] ?? "")

/** What happened stands in the log with all its details; the caller is told only what it means for them. */
const log = (error: GradientError.GradientError) => Effect.logWarning("ImagesGateway: the service behind failed", error)

const silent = (after: Duration.Duration) =>
  GradientError.fromReason(
    new GradientError.RequestTimeoutError({
      phase: "idle",
      description: `no byte came for ${Duration.format(after)}`,
      progress: "Accepted"
    })
  )

const disconnected = (cause: unknown) =>
  GradientError.fromReason(new GradientError.DisconnectedError({ progress: "Accepted", cause }))

/** Known too late: the caller was told that events come. */
const noEvents = ({ status }: Response) =>
  GradientError.fromReason(
    new GradientError.InvalidResponseError({ description: "a stream was asked for and none came", status })
  )

/** A reply that is passed on: with the log's annotations, and chunk by chunk, as the server would copy them into one. */
const reply = (bytes: Bytes, contentType: string, headers: Record<string, string>) =>
  Effect.map(Effect.context(), (context) =>
    HttpServerResponse.stream(bytes.pipe(Stream.rechunk(1), Stream.provideContext(context)), {
      contentType,
      headers: { ...headers, "cache-control": "no-store" }
    })
  )

/** Sends orders. The request behind ends with the scope of the caller's own, so it ends when the caller leaves. */
export const makeSend = Effect.fnUntraced(function* (keepAlive: Duration.Input) {
  const client = yield* GradientClient.GradientClient
  const { idleTimeout } = client.waiting

  const post = (json: string) => client.post("/images/generations", json)

  const bytesOf = ({ stream }: Response): Bytes =>
    stream.pipe(
      Stream.mapError(disconnected),
      Stream.timeoutOrElse({ duration: idleTimeout, orElse: () => Stream.fail(silent(idleTimeout)) })
    )

  /** Its length is kept, so that a cut reply cannot look whole. */
  const whole = (response: Response, headers: Record<string, string>) => {
    const { "content-encoding": encoding, "content-length": length } = response.headers
    const isKnown = length !== undefined && encoding === undefined
    const bytes = Stream.tapError(bytesOf(response), log)
    return reply(bytes, "application/json", isKnown ? { ...headers, "content-length": length } : headers)
  }

  const events = (bytes: Bytes, headers: Record<string, string>) => {
    const toEvent = (error: GradientError.GradientError) => ApiError.toEvent(ApiError.fromGradientError(error))
    const relayed = relay(Stream.tapError(bytes, log), { keepAlive, toEvent })
    // nginx would hold the pictures back.
    return reply(relayed, "text/event-stream", { ...headers, "x-accel-buffering": "no" })
  }

  return Effect.fnUntraced(function* ({ isStream, json }: Order, headers: Record<string, string>) {
    const coming = yield* Effect.forkScoped(post(json))
    const answer = Fiber.join(coming)
    const head = answer.pipe(Effect.tapError(log), Effect.mapError(ApiError.fromGradientError))
    const come = isStream ? yield* Effect.timeoutOption(head, keepAlive) : Option.some(yield* head)
    if (Option.isSome(come)) {
      return yield* isEventStream(come.value) ? events(bytesOf(come.value), headers) : whole(come.value, headers)
    }
    const late = Effect.map(answer, (response) =>
      isEventStream(response) ? bytesOf(response) : Stream.fail(noEvents(response))
    )
    return yield* events(Stream.unwrap(late), headers)
  })
})
