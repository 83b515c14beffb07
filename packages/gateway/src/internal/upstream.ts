/**
 * Sends a request to the service once, with the operator's key, and passes the reply on without decoding it.
 */
import { Attempt, GradientClient, GradientError } from "@effect-gradient/core"
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import type * as HttpClientError from "effect/http/HttpClientError"
import type * as HttpClientResponse from "effect/http/HttpClientResponse"
import * as Scope from "effect/Scope"
import * as Stream from "effect/Stream"
import type { Reply, Request } from "../Attempts.ts"
import { whenSilent } from "./silence.ts"

type Response = HttpClientResponse.HttpClientResponse

const isEventStream = ({ headers }: Response) => /^text\/event-stream\b/i.test(headers["content-type"] ?? "")

const timeoutError = (phase: "idle" | "response" | "deadline", description: string) =>
  new GradientError.RequestTimeoutError({ phase, description, reached: "Accepted" })

/**
 * Makes a scope that closes after this time, so that a caller who stops reading cannot keep it open. `isOver` returns
 * whether this has happened.
 */
const limitedScope = Effect.fnUntraced(function* (limit: Duration.Duration) {
  const scope = yield* Scope.fork(yield* Effect.scope)
  let isOver = false
  const end = Effect.suspend(() => {
    isOver = true
    return Scope.close(scope, Exit.void)
  })
  yield* Effect.forkScoped(Effect.delay(end, limit))
  return { scope, isOver: () => isOver }
})

/** The bytes of the reply's body. When the body has ended or failed, the attempt gets its outcome. */
const bytesOf = (
  { stream }: Response,
  { deadline, idleTimeout, kind, timeout }: GradientClient.ResolvedCall,
  attempt: Attempt.OpenAttempt,
  isOver: () => boolean
) => {
  const [phase, limit] = kind === "stream" ? (["deadline", deadline] as const) : (["response", timeout] as const)
  // The error itself has the request with all its headers, which may have secrets and would be logged.
  const broken = ({ reason }: HttpClientError.HttpClientError) =>
    isOver()
      ? timeoutError(phase, `the reply was not complete after ${Duration.format(limit)}`)
      : new GradientError.DisconnectedError({ reached: "Accepted", cause: reason.cause })
  const complete = Effect.suspend(() => {
    attempt.isReplyWhole = true
    return attempt.settle(Attempt.Outcome.Completed({ images: [], usage: undefined }))
  })
  return stream.pipe(
    Stream.mapError(broken),
    whenSilent(
      idleTimeout,
      Effect.suspend(() => Effect.fail(timeoutError("idle", `no byte arrived for ${Duration.format(idleTimeout)}`)))
    ),
    Stream.concat(Stream.fromEffectDrain(complete)),
    Stream.catch((reason) => Stream.fromEffectDrain(attempt.fail(reason))),
    Stream.mapError((reason) => GradientError.fromReason(reason))
  )
}

/**
 * Makes the function that sends requests. A request is cancelled when its scope closes, which also happens when its
 * caller leaves.
 */
export const makeUpstream = Effect.gen(function* () {
  const client = yield* GradientClient.GradientClient

  return Effect.fnUntraced(function* ({ kind, params }: Request) {
    const call = yield* Effect.mapError(
      Effect.fromResult(GradientClient.resolveCall(client.options, params, kind)),
      GradientError.fromReason
    )
    const { isOver, scope } = yield* limitedScope(kind === "stream" ? call.deadline : call.timeout)
    const { attempt, response } = yield* Effect.gen(function* () {
      const opened = yield* Attempt.open({ kind, params, labels: call.labels, server: client.options.server })
      const head = yield* client.post(call, opened).pipe(Effect.catch((reason) => opened.fail(reason)))
      return { attempt: opened, response: head }
    }).pipe(
      Scope.provide(scope),
      Effect.mapError((reason) => GradientError.fromReason(reason))
    )
    const bytes = bytesOf(response, call, attempt, isOver)
    const { "content-encoding": encoding, "content-length": length } = response.headers
    const reply: Reply = isEventStream(response)
      ? { _tag: "EventStream", bytes }
      : { _tag: "Json", bytes, length: encoding === undefined ? length : undefined }
    return reply
  })
})
