/**
 * The way to the service: endpoint, credentials, headers, and what an answer that is not a 200 means.
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
import * as Url from "effect/http/Url"
import * as UrlParams from "effect/http/UrlParams"
import * as Layer from "effect/Layer"
import * as Redacted from "effect/Redacted"
import * as Result from "effect/Result"
import type * as Scope from "effect/Scope"
import * as Stream from "effect/Stream"
import { defaultBaseUrl } from "./GradientConfig.ts"
import * as GradientError from "./GradientError.ts"
import { defaultLimits, type Limits } from "./internal/reply/limits.ts"
import { environmentFor } from "./internal/request/environment.ts"
import type { Options, RequestOptions } from "./internal/request/options.ts"
import { invalidParams } from "./internal/request/invalidParams.ts"
import { readText } from "./internal/reply/readText.ts"
import { reasonOfAnswer } from "./internal/failure/errorResponse.ts"
import { secretName } from "./internal/redaction.ts"
import { reasonOfFailure } from "./internal/failure/transportFailure.ts"
import * as RetryPolicy from "./RetryPolicy.ts"

declare const TextDecoder: new () => { decode(bytes: Uint8Array, options: { stream: boolean }): string }

export { markNotSent } from "./internal/failure/transportFailure.ts"
export type { Limits } from "./internal/reply/limits.ts"
export type { Options, RequestOptions, RetryEvent, WaitingOptions } from "./internal/request/options.ts"

/**
 * The service: one request, and what holds for every call.
 *
 * @category services
 */
export class GradientClient extends Context.Service<
  GradientClient,
  {
    /**
     * Sends one request with this JSON, once, and gives the response if its status is 2xx and its head comes within
     * `timeout`. The request ends with the scope: its socket is closed then if the body was not read to its end.
     */
    readonly post: (
      path: string,
      json: string,
      options?: RequestOptions
    ) => Effect.Effect<HttpClientResponse.HttpClientResponse, GradientError.GradientError, Scope.Scope>
    /** Reads the JSON text at this path, within `timeout`. Nothing is charged for. */
    readonly get: (path: string) => Effect.Effect<string, GradientError.GradientError>
    /** Defaults for calls: the layer's options, else the built-in ones. */
    readonly waiting: {
      readonly timeout: Duration.Duration
      readonly idleTimeout: Duration.Duration
      readonly retry: RetryPolicy.RetryPolicy
    }
    readonly limits: Limits
  }
>()("@effect-gradient/core/GradientClient") {}

const errorBodyBytes = 64 * 1024

/** The text of an error's body: at most 64 KiB, or what came before it broke off or stood still. */
const errorText = (response: HttpClientResponse.HttpClientResponse): Effect.Effect<string> => {
  const decoder = new TextDecoder()
  let text = ""
  let length = 0
  return response.stream.pipe(
    Stream.takeUntil((chunk) => {
      text += decoder.decode(chunk.subarray(0, errorBodyBytes - length), { stream: true })
      length += chunk.length
      return length >= errorBodyBytes
    }),
    Stream.runDrain,
    Effect.timeoutOption("5 seconds"),
    Effect.ignore, // The status has told what went wrong; the body only has its words.
    Effect.map(() => text)
  )
}

const invalid = (param: string, message: string) => GradientError.fromReason(invalidParams([{ param, message }]))

const isHeaderName = /^[!#$%&'*+.^_`|~0-9a-z-]+$/i
const isHeaderValue = /^[\t\x20-\x7e\x80-\xff]*$/

/** The headers of a request; the values of those that cannot be sent are not repeated: they may be secret. */
const headersOf = (
  options: Options,
  call: RequestOptions
): Effect.Effect<Record<string, string>, GradientError.GradientError> => {
  const key = options.modelAccessKey ?? options.accessToken
  const headers: Record<string, string> = { accept: "application/json, text/event-stream" }
  if (key !== undefined) headers["authorization"] = `Bearer ${Redacted.value(key)}`
  if (call.idempotencyKey !== undefined) headers["idempotency-key"] = call.idempotencyKey
  for (const [name, value] of [...Object.entries(options.headers ?? {}), ...Object.entries(call.headers ?? {})]) {
    if (value === null) delete headers[name.toLowerCase()]
    else headers[name.toLowerCase()] = value
  }
  for (const [name, value] of Object.entries(headers)) {
    if (isHeaderName.test(name) && isHeaderValue.test(value)) continue
    const what = name === "authorization" ? "the key" : `headers.${name}`
    return Effect.fail(invalid(what, "has a character that no header can carry"))
  }
  return Effect.succeed(headers)
}

/** In a page, a path alone is a URL as well. */
const otherScheme = /^(?!https?:)[\w+.-]+:/i

/**
 * The client of this HttpClient.
 *
 * @category constructors
 */
export const make = Effect.fnUntraced(function* (options: Options) {
  const transport = yield* HttpClient.HttpClient
  const client = HttpClient.withScope(options.transformClient?.(transport) ?? transport)
  const given = options.baseUrl ?? defaultBaseUrl
  const baseUrl = given.replace(/\/+$/, "")
  // By itself: `http://` and a path would go to a host of the path's first part.
  const isUrl = Result.isSuccess(Url.make(given, UrlParams.empty, undefined)) && !otherScheme.test(given)

  const waiting = {
    timeout: Duration.fromInputUnsafe(options.timeout ?? "10 minutes"),
    idleTimeout: Duration.fromInputUnsafe(options.idleTimeout ?? "5 minutes"),
    retry: RetryPolicy.make(options.retry ?? RetryPolicy.chargeSafe)
  }

  const send = Effect.fnUntraced(function* (
    path: string,
    call: RequestOptions,
    toRequest: (url: string) => HttpClientRequest.HttpClientRequest
  ) {
    if (!isUrl) return yield* invalid("baseUrl", `"${UrlParams.redactUrl(given)}" is no URL of http or https`)
    const headers = yield* headersOf(options, call)
    const request = HttpClientRequest.setHeaders(toRequest(`${baseUrl}${path}`), headers)
    const timeout = Duration.fromInputUnsafe(call.timeout ?? waiting.timeout)
    const idleTimeout = Duration.fromInputUnsafe(call.idleTimeout ?? waiting.idleTimeout)
    for (const [param, duration] of Object.entries({ timeout, idleTimeout })) {
      if (Duration.toMillis(duration) <= 0) return yield* invalid(param, "it must be more than 0")
    }
    const response = yield* client.execute(request).pipe(
      // A client that refuses statuses by itself has the response all the same.
      Effect.catch((error) =>
        error.reason._tag === "StatusCodeError"
          ? Effect.succeed(error.reason.response)
          : GradientError.fromReason(reasonOfFailure(error))
      ),
      Effect.timeoutOrElse({
        duration: timeout,
        orElse: () =>
          GradientError.fromReason(
            new GradientError.RequestTimeoutError({
              phase: "response",
              description: `no response for ${Duration.toSeconds(timeout)} s`
            })
          )
      }),
      Effect.provideService(HttpClient.TracerPropagationEnabled, false),
      Effect.provideService(Headers.CurrentRedactedNames, [secretName])
    )
    if (response.status >= 200 && response.status < 300) return response
    const text = yield* errorText(response)
    return yield* GradientError.fromReason(reasonOfAnswer(response, text, yield* Clock.currentTimeMillis))
  })

  const post = (path: string, json: string, call: RequestOptions = {}) =>
    send(path, call, (url) => HttpClientRequest.post(url).pipe(HttpClientRequest.bodyText(json, "application/json")))

  const limits = { ...defaultLimits, ...options.limits }

  const get = (path: string) =>
    send(path, {}, HttpClientRequest.get).pipe(
      Effect.flatMap((response) =>
        Effect.mapError(readText(response, limits.jsonBytes), (reason) => GradientError.fromReason(reason))
      ),
      Effect.timeoutOrElse({
        duration: waiting.timeout,
        orElse: () =>
          GradientError.fromReason(
            new GradientError.RequestTimeoutError({
              phase: "response",
              description: `no whole reply for ${Duration.toSeconds(waiting.timeout)} s`
            })
          )
      }),
      Effect.scoped
    )

  return GradientClient.of({ post, get, waiting, limits })
})

/**
 * The client with these options.
 *
 * @category layers
 */
export const layer = (options: Options): Layer.Layer<GradientClient, never, HttpClient.HttpClient> =>
  Layer.effect(GradientClient, make(options))

/**
 * The client with options from Configs.
 *
 * @category layers
 */
export const layerConfig = (
  options: Config.Wrap<Options>
): Layer.Layer<GradientClient, Config.ConfigError, HttpClient.HttpClient> =>
  Layer.effect(GradientClient, Effect.flatMap(Config.unwrap(options), make))

/**
 * The client with key, endpoint and model from the environment, unless `options` has them.
 *
 * @category layers
 */
export const layerFromConfig = (
  options: Options = {}
): Layer.Layer<GradientClient, Config.ConfigError, HttpClient.HttpClient> =>
  Layer.effect(
    GradientClient,
    Effect.gen(function* () {
      const { baseUrl, key, model } = yield* environmentFor(options)
      return yield* make({
        ...options,
        modelAccessKey: key === undefined ? options.modelAccessKey : Redacted.make(key.value),
        baseUrl: options.baseUrl ?? baseUrl?.value,
        model: options.model ?? model?.value
      })
    })
  )
