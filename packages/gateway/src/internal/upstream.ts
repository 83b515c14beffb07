/**
 * Sends a request to the service with the real key, once, and passes the reply on without decoding it.
 */
import { GradientClient, GradientError } from "@effect-gradient/core"
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import type * as HttpClientResponse from "effect/http/HttpClientResponse"
import * as Stream from "effect/Stream"
import type { Reply, Request } from "../Attempts.ts"

type Response = HttpClientResponse.HttpClientResponse

const isEventStream = ({ headers }: Response) => /^text\/event-stream\b/i.test(headers["content-type"] ?? "")

const silent = (after: Duration.Duration) =>
  GradientError.fromReason(
    new GradientError.RequestTimeoutError({
      phase: "idle",
      description: `no byte arrived for ${Duration.format(after)}`,
      progress: "Accepted"
    })
  )

const disconnected = (cause: unknown) =>
  GradientError.fromReason(new GradientError.DisconnectedError({ progress: "Accepted", cause }))

/** The request to the service ends with the scope of the caller's, so it ends when the caller leaves. */
export const makeUpstream = Effect.gen(function* () {
  const client = yield* GradientClient.GradientClient
  const { idleTimeout } = client.waiting

  const bytesOf = ({ stream }: Response) =>
    stream.pipe(
      Stream.mapError(disconnected),
      Stream.timeoutOrElse({ duration: idleTimeout, orElse: () => Stream.fail(silent(idleTimeout)) })
    )

  return Effect.fnUntraced(function* ({ json }: Request) {
    const response = yield* client.post("/images/generations", json)
    const bytes = bytesOf(response)
    const { "content-encoding": encoding, "content-length": length } = response.headers
    const reply: Reply = isEventStream(response)
      ? { _tag: "EventStream", bytes }
      : { _tag: "Json", bytes, length: encoding === undefined ? length : undefined }
    return reply
  })
})
