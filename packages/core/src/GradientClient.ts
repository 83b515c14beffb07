/**
 * Sends requests to the service, with its base URL, the key and the headers. If the status of a response is not 2xx,
 * sending fails with a reason of `GradientError`.
 */
import * as Clock from "effect/Clock"
import * as Config from "effect/Config"
import * as Context from "effect/Context"
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as Headers from "effect/http/Headers"
import * as HttpClient from "effect/http/HttpClient"
import * as HttpClientRequest from "effect/http/HttpClientRequest"
import type * as HttpClientResponse from "effect/http/HttpClientResponse"
import * as UrlParams from "effect/http/UrlParams"
import * as Layer from "effect/Layer"
import type * as Scope from "effect/Scope"
import * as GradientError from "./GradientError.ts"
import type { OpenAttempt } from "./internal/attempt/OpenAttempt.ts"
import { runAttempts, sendRequest } from "./internal/attempt/transport.ts"
import { errorText } from "./internal/failure/errorText.ts"
import { reasonOfResponse } from "./internal/failure/errorResponse.ts"
import { secretName } from "./internal/redaction.ts"
import { readText } from "./internal/reply/readText.ts"
import { type Environment, environmentFor } from "./internal/request/environment.ts"
import { namingModel } from "./internal/request/model.ts"
import type { Options } from "./internal/request/options.ts"
import type { ResolvedCall } from "./internal/request/resolveCall.ts"
import { type ResolvedOptions, resolveOptions } from "./internal/request/resolveOptions.ts"

export { markNotSent } from "./internal/failure/transportFailure.ts"
export type { TransformedClient } from "./internal/attempt/transport.ts"
export type { Limits } from "./internal/reply/limits.ts"
export type { Options, RequestOptions, RetryEvent, WaitingOptions } from "./internal/request/options.ts"
export { type ResolvedCall, resolveCall } from "./internal/request/resolveCall.ts"
export type { ResolvedOptions } from "./internal/request/resolveOptions.ts"

/**
 * The client of the service: its checked options, and functions that send one request. `Images`, `Models` and the
 * gateway use it.
 *
 * @category services
 * @since 0.1.0
 */
export class GradientClient extends Context.Service<
  GradientClient,
  {
    /**
     * The client's options, checked and with the defaults filled in. Pass them to `resolveCall` as its first argument.
     */
    readonly options: ResolvedOptions
    /**
     * Sends the request of one attempt. Returns the response if its status is 2xx and its headers arrive within `timeout`.
     * When the scope closes, the request is aborted, unless `attempt.isReplyWhole` is set.
     */
    readonly post: (
      call: ResolvedCall,
      attempt: OpenAttempt
    ) => Effect.Effect<HttpClientResponse.HttpClientResponse, GradientError.GradientErrorReason, Scope.Scope>
    /**
     * Sends a GET request to this path below the base URL, and returns the text of the reply, which must be complete
     * within `timeout`. Such requests are never charged for.
     */
    readonly get: (path: string) => Effect.Effect<string, GradientError.GradientErrorReason>
  }
>()("@effect-gradient/core/GradientClient") {}

const path = "/images/generations"

const makeWith = Effect.fnUntraced(function* (options: Options, environment?: Environment) {
  const client = yield* Effect.mapError(
    Effect.fromResult(resolveOptions(options, environment)),
    GradientError.fromReason
  )
  const transport = client.transformClient(runAttempts(yield* HttpClient.HttpClient))

  const send = Effect.fnUntraced(function* (
    request: HttpClientRequest.HttpClientRequest,
    timeout: Duration.Duration,
    attempt?: OpenAttempt
  ) {
    const response = yield* sendRequest(transport, request, attempt, timeout).pipe(
      Effect.provideService(HttpClient.TracerPropagationEnabled, client.propagateTrace),
      Effect.updateService(Headers.CurrentRedactedNames, (names) => [...names, secretName]),
      Effect.updateService(UrlParams.CurrentRedactedNames, (names) => [...names, secretName])
    )
    if (response.status >= 200 && response.status < 300) return response
    const text = yield* errorText(response)
    return yield* reasonOfResponse(response, text, yield* Clock.currentTimeMillis)
  })

  const post = (call: ResolvedCall, attempt: OpenAttempt) => {
    const request = HttpClientRequest.post(client.toUrl(path)).pipe(
      HttpClientRequest.setHeaders(call.headers),
      HttpClientRequest.bodyText(call.json, "application/json")
    )
    return attempt
      .within(send(request, call.timeout, attempt))
      .pipe(Effect.mapError((reason) => namingModel(reason, call.model, call.headers)))
  }

  const get = (at: string) => {
    const request = HttpClientRequest.setHeaders(HttpClientRequest.get(client.toUrl(at)), client.headers)
    return Effect.flatMap(send(request, client.timeout), (response) =>
      readText(response, client.limits.jsonBytes)
    ).pipe(
      Effect.timeoutOrElse({
        duration: client.timeout,
        orElse: () =>
          new GradientError.RequestTimeoutError({
            phase: "response",
            description: `no complete reply within ${Duration.toSeconds(client.timeout)} s`
          })
      }),
      Effect.mapError((reason) => Object.assign(reason, { isFree: true })),
      Effect.scoped
    )
  }

  return GradientClient.of({ options: client, post, get })
})

/**
 * Makes a client that sends through the HttpClient in context. Fails with `InvalidParamsError` if an option is invalid.
 *
 * @category constructors
 * @since 0.1.0
 */
export const make = (
  options: Options
): Effect.Effect<GradientClient["Service"], GradientError.GradientError, HttpClient.HttpClient> => makeWith(options)

/**
 * Provides a client with these options. Fails with `InvalidParamsError` if an option is invalid.
 *
 * @category layers
 * @since 0.1.0
 */
export const layer = (
  options: Options
): Layer.Layer<GradientClient, GradientError.GradientError, HttpClient.HttpClient> =>
  Layer.effect(GradientClient, makeWith(options))

/**
 * Provides a client with options that are read from Configs.
 *
 * @category layers
 * @since 0.1.0
 */
export const layerConfig = (
  options: Config.Wrap<Options>
): Layer.Layer<GradientClient, Config.ConfigError | GradientError.GradientError, HttpClient.HttpClient> =>
  Layer.effect(
    GradientClient,
    Effect.flatMap(Config.unwrap(options), (unwrapped) => makeWith(unwrapped))
  )

/**
 * Provides a client. If `options` does not set the key, the base URL or the model, it is read from an environment
 * variable.
 *
 * @category layers
 * @since 0.1.0
 */
export const layerFromConfig = (
  options: Options = {}
): Layer.Layer<GradientClient, Config.ConfigError | GradientError.GradientError, HttpClient.HttpClient> =>
  Layer.effect(
    GradientClient,
    Effect.flatMap(environmentFor(options), (environment) => makeWith(options, environment))
  )
