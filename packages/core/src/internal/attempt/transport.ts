/**
 * Sends the request of one attempt through the client that `transformClient` returns. The client that is passed to
 * `transformClient` runs each `begin` and starts the timeout when a request is sent. Work that a transform does before
 * it sends, such as waiting for a limit, is not part of this timeout.
 */
import * as Clock from "effect/Clock"
import * as Context from "effect/Context"
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as HttpClient from "effect/http/HttpClient"
import * as HttpClientError from "effect/http/HttpClientError"
import type * as HttpClientRequest from "effect/http/HttpClientRequest"
import type * as HttpClientResponse from "effect/http/HttpClientResponse"
import * as Predicate from "effect/Predicate"
import * as Scope from "effect/Scope"
import * as GradientError from "../../GradientError.ts"
import { reasonOfResponse } from "../failure/errorResponse.ts"
import { reasonOfFailure } from "../failure/transportFailure.ts"
import { property } from "../property.ts"
import { Outcome } from "./attemptModels.ts"
import type { OpenAttempt, Repeated } from "./OpenAttempt.ts"

type Reason = GradientError.GradientErrorReason
type Response = HttpClientResponse.HttpClientResponse

/**
 * What `transformClient` returns: an object with `execute`, such as an HttpClient. Its errors may be of any type.
 *
 * @category models
 * @since 0.1.0
 */
export interface TransformedClient {
  readonly execute: (request: HttpClientRequest.HttpClientRequest) => Effect.Effect<Response, unknown>
}

/**
 * The state of the request that the current fiber sends. `attempt` is undefined for a request that is never charged
 * for.
 */
class Sending {
  isSent = false
  failure: Reason | undefined
  response: Response | undefined
  readonly attempt: OpenAttempt | undefined
  readonly timeout: Duration.Duration
  readonly scope: Scope.Scope

  constructor(attempt: OpenAttempt | undefined, timeout: Duration.Duration, scope: Scope.Scope) {
    this.attempt = attempt
    this.timeout = timeout
    this.scope = scope
  }

  /**
   * The outcome of the previous request, if a transform sends another one. `images` is empty, because the previous
   * reply was not decoded.
   */
  readonly previous: Effect.Effect<Repeated> = Effect.map(Clock.currentTimeMillis, (now) => {
    const { failure: reason } = this
    if (reason === undefined) return { reason: this.#reasonToRepeat(now), outcome: Outcome.Left({ images: [] }) }
    return {
      reason,
      outcome: reason.reached === "NotSent" ? Outcome.NotSent({ reason }) : Outcome.Failed({ reason, images: [] })
    }
  })

  #reasonToRepeat(now: number): Reason {
    const description = "transformClient sent the request again"
    if (this.response === undefined) return new GradientError.DisconnectedError({ description, reached: "Sent" })
    const { status } = this.response
    return isAccepted(status)
      ? new GradientError.InvalidResponseError({ description, status, reached: "Accepted" })
      : reasonOfResponse(this.response, "", now)
  }
}

const isAccepted = (status: number) => status >= 200 && status < 300

const Current = Context.Reference<Sending | undefined>("@effect-gradient/core/internal/Sending", {
  defaultValue: () => undefined
})

const transportError = (request: HttpClientRequest.HttpClientRequest, cause: unknown) =>
  new HttpClientError.HttpClientError({ reason: new HttpClientError.TransportError({ request, cause }) })

/**
 * The client that is passed to `transformClient`. Each request for images that is sent through this client is an
 * attempt.
 */
export const runAttempts = (transport: HttpClient.HttpClient): HttpClient.HttpClient => {
  const scoped = HttpClient.withScope(transport)
  const send = Effect.fnUntraced(function* (request: HttpClientRequest.HttpClientRequest) {
    const sending = yield* Current
    return yield* sending === undefined
      ? Effect.fail(
          transportError(
            request,
            new Error("transformClient sent a request in another fiber: send each request in the fiber of the call")
          )
        )
      : enter(sending, request, scoped.execute(request))
  })
  return HttpClient.makeWith<HttpClientError.HttpClientError, never, HttpClientError.HttpClientError, never>(
    Effect.flatMap(send),
    Effect.succeed
  )
}

const enter = (
  sending: Sending,
  request: HttpClientRequest.HttpClientRequest,
  send: Effect.Effect<Response, HttpClientError.HttpClientError, Scope.Scope>
): Effect.Effect<Response, HttpClientError.HttpClientError> => {
  /** Stores the reason, and fails with an HttpClientError, because transforms of an HttpClient can handle that type. */
  const fail = (reason: Reason, error = transportError(request, reason)) => {
    sending.failure = reason
    return Effect.fail(error)
  }
  return Effect.gen(function* () {
    const isRepeated = sending.isSent
    if (sending.attempt !== undefined) {
      yield* Effect.catch(sending.attempt.begin(sending.previous), (reason) => fail(reason))
    }
    sending.isSent = true
    sending.failure = undefined
    sending.response = undefined
    // A transform that sends a second request still runs in the span of the first attempt, so the span of the second
    // attempt is set for this request.
    const response = yield* (isRepeated && sending.attempt !== undefined ? sending.attempt.within(send) : send).pipe(
      Scope.provide(sending.scope),
      Effect.catch((error) => fail(reasonOfFailure(error), error)),
      Effect.timeoutOrElse({ duration: sending.timeout, orElse: () => fail(noResponse(sending.timeout)) })
    )
    sending.response = response
    return response
  })
}

const noResponse = (timeout: Duration.Duration) =>
  new GradientError.RequestTimeoutError({
    phase: "response",
    description: `no response for ${Duration.toSeconds(timeout)} s`
  })

/**
 * Sends the request of this attempt and returns the response, whatever its status. Sends the request once, unless a
 * transform repeats it. `attempt` is undefined for a request that costs nothing, such as listing models.
 */
export const sendRequest = Effect.fnUntraced(function* (
  client: TransformedClient,
  request: HttpClientRequest.HttpClientRequest,
  attempt: OpenAttempt | undefined,
  timeout: Duration.Duration
) {
  // HttpClient.withScope aborts a request when its scope closes. This scope stays open if the reply is complete: an
  // abort makes an error with a stack, which takes a tenth of the time of a small call, and a browser would report a
  // failure. The transport ends a request whose body is closed.
  const scope = yield* Scope.make()
  yield* Effect.addFinalizer((exit) => (attempt?.isReplyWhole === true ? Effect.void : Scope.close(scope, exit)))
  const sending = new Sending(attempt, timeout, scope)
  const response = yield* client.execute(request).pipe(
    Effect.provideService(Current, sending),
    Effect.catch((error) => {
      const refused = sending.isSent ? refusedResponse(error) : undefined
      return refused === undefined ? Effect.fail(reasonOfTransform(error, sending)) : Effect.succeed(refused)
    })
  )
  if (sending.response !== undefined) return response
  return yield* new GradientError.InvalidResponseError({
    description: "transformClient returned a response that its client argument did not return"
  })
})

/** The response in an error of a transform that fails for some statuses, such as `HttpClient.filterStatusOk`. */
const refusedResponse = (error: unknown): Response | undefined =>
  HttpClientError.isHttpClientError(error) && error.reason._tag === "StatusCodeError"
    ? error.reason.response
    : undefined

const reasonOfTransform = (error: unknown, { failure, isSent, response }: Sending): Reason => {
  if (failure !== undefined) return failure
  // An HTTP error before the request was sent is from another service, such as one that gives tokens.
  const isHttp = HttpClientError.isHttpClientError(error)
  if (isHttp && isSent) return reasonOfFailure(error)
  const description = `transformClient failed: ${String(property(error, "message") ?? error)}`
  if (isSent) {
    const status = response?.status
    const reached = status === undefined ? "Sent" : isAccepted(status) ? "Accepted" : "ErrorStatus"
    return new GradientError.DisconnectedError({ description, cause: error, status, reached })
  }
  if (Predicate.isTagged(error, "RateLimiterError")) {
    const retryAfter = property(property(error, "reason"), "retryAfter")
    return new GradientError.RateLimitError({
      description,
      reached: "NotSent",
      ...(Duration.isDuration(retryAfter) ? { retryAfter } : {})
    })
  }
  // The error of an HttpClient is not kept, because it has the request with its headers.
  const cause = isHttp ? error.reason.cause : error
  return new GradientError.ConnectionError({ description, cause, shouldRetry: false })
}
