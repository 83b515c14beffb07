/**
 * Layers for browsers, workers and edge runtimes: an HttpClient on fetch, alone or together with `Images`.
 *
 * A page must never contain a key. Set `baseUrl` to a gateway that has the key (`@effect-gradient/gateway`).
 */
import { GradientClient, type GradientError, Images } from "@effect-gradient/core"
import type * as Config from "effect/Config"
import * as Context from "effect/Context"
import * as Effect from "effect/Effect"
import * as FetchHttpClient from "effect/http/FetchHttpClient"
import * as HttpClient from "effect/http/HttpClient"
import * as HttpClientRequest from "effect/http/HttpClientRequest"
import * as Layer from "effect/Layer"
import * as Stream from "effect/Stream"

/**
 * Options of the HttpClient.
 *
 * @category models
 */
export interface TransportOptions {
  /** Options of every fetch, such as `credentials`. They override the ambient `FetchHttpClient.RequestInit`. */
  readonly requestInit?: Omit<RequestInit, "method" | "headers" | "body" | "redirect" | "signal"> | undefined
}

/**
 * Options of the client and of its HttpClient.
 *
 * @category models
 */
export interface Options extends GradientClient.Options, TransportOptions {}

/** Chromium may resend a POST when a connection closes early. By this id, a gateway recognises the second request. */
const withAttemptId = HttpClient.mapRequestEffect((request) =>
  Effect.sync(() => HttpClientRequest.setHeader(request, "x-attempt-id", randomId()))
)

/** 128 bits in hexadecimal; `crypto.randomUUID` is missing on pages without TLS. */
const randomId = () =>
  Array.from(crypto.getRandomValues(new Uint8Array(16)), (byte) => byte.toString(16).padStart(2, "0")).join("")

/**
 * Deno resends a POST when a kept-alive connection breaks before the head of the reply, and the image would be charged for
 * twice. It cannot resend a body that is a stream.
 */
const withStreamOnDeno = HttpClient.mapRequest((request) =>
  "Deno" in globalThis && request.body._tag === "Uint8Array"
    ? HttpClientRequest.bodyStream(request, Stream.succeed(request.body.body), {
        contentType: request.body.contentType
      })
    : request
)

/**
 * Provides an HttpClient on fetch. It does not follow redirects, which could be charged for twice, and it sends an
 * `x-attempt-id` with each request.
 *
 * @category layers
 */
export const layerHttpClient = ({ requestInit }: TransportOptions = {}): Layer.Layer<HttpClient.HttpClient> =>
  Layer.effect(
    HttpClient.HttpClient,
    Effect.gen(function* () {
      const client = yield* HttpClient.HttpClient
      // An application can provide a RequestInit for the layer or for a call. They are merged, so that none is lost.
      const built = Context.getOrUndefined(yield* Effect.context(), FetchHttpClient.RequestInit)
      const merged = HttpClient.transformResponse(
        client,
        Effect.updateContext((context: Context.Context<never>) =>
          Context.add(context, FetchHttpClient.RequestInit, {
            ...built,
            ...Context.getOrUndefined(context, FetchHttpClient.RequestInit),
            ...requestInit,
            redirect: "manual"
          })
        )
      )
      return withStreamOnDeno(withAttemptId(merged))
    })
    // Fresh, because Effect's layer is memoised by reference and keeps the RequestInit and Fetch of its first use.
  ).pipe(Layer.provide(Layer.fresh(FetchHttpClient.layer)))

/**
 * Provides `Images`, and `GradientClient` for `Models.list`, with these options.
 *
 * @category layers
 */
export const layer = (
  options: Options
): Layer.Layer<Images.Images | GradientClient.GradientClient, GradientError.GradientError> =>
  complete(GradientClient.layer(options), options)

/**
 * Provides `Images` with key, base URL and model from the environment. `options` overrides these. For servers on runtimes
 * without undici, such as Bun; a page has no environment. See `GradientClient.layerFromConfig`.
 *
 * @category layers
 */
export const layerFromConfig = (
  options: Options = {}
): Layer.Layer<Images.Images | GradientClient.GradientClient, Config.ConfigError | GradientError.GradientError> =>
  complete(GradientClient.layerFromConfig(options), options)

const complete = <E>(
  client: Layer.Layer<GradientClient.GradientClient, E, HttpClient.HttpClient>,
  options: TransportOptions
) => Images.layer.pipe(Layer.provideMerge(client), Layer.provide(layerHttpClient(options)))
