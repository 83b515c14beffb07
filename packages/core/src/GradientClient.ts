/**
 * The way to the service: endpoint, credentials, headers, and what an answer that is not a 200 means.
 */
import * as Clock from "effect/Clock"
import * as Config from "effect/Config"
import * as ConfigProvider from "effect/ConfigProvider"
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
import * as Option from "effect/Option"
import * as Redacted from "effect/Redacted"
import * as Result from "effect/Result"
import type * as Scope from "effect/Scope"
import * as Stream from "effect/Stream"
import * as GradientError from "./GradientError.ts"
import { defaultLimits, type Limits } from "./internal/reply/limits.ts"
import { invalidParams } from "./internal/request/invalidParams.ts"
import { reasonOfAnswer } from "./internal/failure/errorResponse.ts"
import { secretName } from "./internal/redaction.ts"
import { reasonOfFailure } from "./internal/failure/transportFailure.ts"
import * as RetryPolicy from "./RetryPolicy.ts"

declare const TextDecoder: new () => { decode(bytes: Uint8Array, options: { stream: boolean }): string }

export { markNotSent } from "./internal/failure/transportFailure.ts"
export type { Limits } from "./internal/reply/limits.ts"

/** The endpoint where none is given. */
export const defaultBaseUrl = "https://inference.do-ai.run/v1"

/**
 * What a layer and a call can both say; a call's word goes before the layer's.
 *
 * @category models
 */
export interface WaitingOptions {
  /**
   * From sending a request to the last byte of its reply, or, of a stream, to the head of it. Default: 10 minutes; a
   * high-quality image takes 2 to 4.
   */
  readonly timeout?: Duration.Input | undefined
  /** Between bytes of a reply's body, comments included. Default: 5 minutes. */
  readonly idleTimeout?: Duration.Input | undefined
  /** When to ask again: a policy, or a schedule for the one that is the default. Default: `RetryPolicy.chargeSafe`. */
  readonly retry?: RetryPolicy.RetryPolicy | RetryPolicy.RetryPolicy["schedule"] | undefined
  /** Headers to add; one that is null is removed. */
  readonly headers?: Readonly<Record<string, string | null>> | undefined
}

/**
 * Options of a client.
 *
 * @category models
 */
export interface Options extends WaitingOptions {
  /** A model access key of serverless inference: `sk-do-...`. */
  readonly modelAccessKey?: Redacted.Redacted | undefined
  /** A personal access token: `dop_v1_...`. Used where there is no model access key. */
  readonly accessToken?: Redacted.Redacted | undefined
  /** Up to `/images/generations`. Default: `https://inference.do-ai.run/v1`. */
  readonly baseUrl?: string | undefined
  /** What a reply may make us hold. */
  readonly limits?: Partial<Limits> | undefined
  /** Changes the HttpClient. Retries that are put here are outside `retry`, and can be charged for. */
  readonly transformClient?: ((client: HttpClient.HttpClient) => HttpClient.HttpClient) | undefined
}

/**
 * Options of one call.
 *
 * @category models
 */
export interface RequestOptions extends WaitingOptions {
  /** Sent as `Idempotency-Key`, the same on each attempt. */
  readonly idempotencyKey?: string | undefined
  /** Members to add to the request's body: params that this library does not know. `stream` cannot be set. */
  readonly extraBody?: Readonly<Record<string, unknown>> | undefined
}

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
    /** What holds where a call says nothing else: the layer's word, else the default. */
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

  const post = Effect.fnUntraced(function* (path: string, json: string, call: RequestOptions = {}) {
    if (!isUrl) return yield* invalid("baseUrl", `"${UrlParams.redactUrl(given)}" is no URL of http or https`)
    const headers = yield* headersOf(options, call)
    const request = HttpClientRequest.post(`${baseUrl}${path}`).pipe(
      HttpClientRequest.setHeaders(headers),
      HttpClientRequest.bodyText(json, "application/json")
    )
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

  return GradientClient.of({ post, waiting, limits: { ...defaultLimits, ...options.limits } })
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

/** A variable that is set, and not to nothing. */
const variable = (name: string) =>
  Config.option(Config.Redacted(name)).pipe(
    Config.map(Option.map((value) => Redacted.value(value).trim())),
    Config.map(Option.filter((value) => value !== ""))
  )

// The two Configs are marked as pure, so that a bundle that does not read the environment leaves them out.

/**
 * The key from the environment: `GRADIENT_MODEL_ACCESS_KEY`, else `DIGITALOCEAN_ACCESS_TOKEN`.
 *
 * @category configs
 */
export const keyConfig: Config.Config<Redacted.Redacted> = /* @__PURE__ */ (() =>
  Config.all([variable("GRADIENT_MODEL_ACCESS_KEY"), variable("DIGITALOCEAN_ACCESS_TOKEN")]).pipe(
    Config.flatMap(([modelAccessKey, accessToken]) =>
      Option.match(
        Option.orElse(modelAccessKey, () => accessToken),
        { onNone: () => Config.fail(missingKey()), onSome: (key) => Config.succeed(Redacted.make(key)) }
      )
    )
  ))()

const missingKey = () =>
  new ConfigProvider.SourceError({
    message:
      "No key: set GRADIENT_MODEL_ACCESS_KEY to a model access key, or DIGITALOCEAN_ACCESS_TOKEN to a personal access token. " +
      "Make one at cloud.digitalocean.com, under Serverless Inference or under API."
  })

/**
 * The endpoint from the environment: `GRADIENT_BASE_URL`, else `GRADIENT_INFERENCE_ENDPOINT` (a host), else the
 * service's own.
 *
 * @category configs
 */
export const baseUrlConfig: Config.Config<string> = /* @__PURE__ */ (() =>
  Config.all([variable("GRADIENT_BASE_URL"), variable("GRADIENT_INFERENCE_ENDPOINT")]).pipe(
    Config.map(([baseUrl, host]) =>
      Option.getOrElse(
        Option.orElse(baseUrl, () => Option.map(host, (name) => `https://${name}/v1`)),
        () => defaultBaseUrl
      )
    )
  ))()

/**
 * The client with key and endpoint from the environment, where `options` does not give them.
 *
 * @category layers
 */
export const layerFromConfig = (
  options: Options = {}
): Layer.Layer<GradientClient, Config.ConfigError, HttpClient.HttpClient> =>
  Layer.effect(
    GradientClient,
    Effect.gen(function* () {
      const hasKey = options.modelAccessKey !== undefined || options.accessToken !== undefined
      const modelAccessKey = hasKey ? options.modelAccessKey : yield* keyConfig
      const baseUrl = options.baseUrl ?? (yield* baseUrlConfig)
      return yield* make({ ...options, modelAccessKey, baseUrl })
    })
  )
