/**
 * Layers for browsers, workers and edge runtimes: the transport on fetch, alone or with everything that `Images` needs.
 *
 * A key must never be in a page: give the `baseUrl` of a gateway that holds it (`@effect-gradient/gateway`).
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
 * Options of the transport.
 *
 * @category models
 */
export interface TransportOptions {
  /** Options of every fetch: `credentials`, `cache`, ... They are added to the ambient `FetchHttpClient.RequestInit`. */
  readonly requestInit?: Omit<RequestInit, "method" | "headers" | "body" | "redirect" | "signal"> | undefined
}

/**
 * Options of the client and of its transport.
 *
 * @category models
 */
export interface Options extends GradientClient.Options, TransportOptions {}

/** Chromium may send a POST again by itself when a connection closes early. A gateway recognises the second by this id. */
const withAttemptId = HttpClient.mapRequestEffect((request) =>
  Effect.sync(() => HttpClientRequest.setHeader(request, "x-attempt-id", randomId()))
)

/** 128 bits in hexadecimal; `crypto.randomUUID` is missing on pages without TLS. */
const randomId = () =>
  Array.from(crypto.getRandomValues(new Uint8Array(16)), (byte) => byte.toString(16).padStart(2, "0")).join("")

/**
 * Deno sends a POST again by itself when a connection that it kept breaks before the head of the reply, and the image is
 * charged twice. It cannot send a stream again.
 */
const withStreamOnDeno = HttpClient.mapRequest((request) =>
  "Deno" in globalThis && request.body._tag === "Uint8Array"
    ? HttpClientRequest.bodyStream(request, Stream.succeed(request.body.body), {
        contentType: request.body.contentType
      })
    : request
)

/**
 * The transport: fetch, which follows no redirect (it would post, and pay, again) and sends an id with each attempt.
 *
 * @category layers
 */
export const layerHttpClient = ({ requestInit }: TransportOptions = {}): Layer.Layer<HttpClient.HttpClient> =>
  Layer.effect(
    HttpClient.HttpClient,
    Effect.gen(function* () {
      const client = yield* HttpClient.HttpClient
      // A RequestInit may be provided around the layer or around a call. One of our own would replace it, so they are merged.
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
    // Fresh: Effect's layer keeps the RequestInit and Fetch with which it was built, and is memoised by reference.
  ).pipe(Layer.provide(Layer.fresh(FetchHttpClient.layer)))

/** What each layer gives: `GradientClient` is for what needs no `Images`, such as the list of models. */
type Services = Images.Images | GradientClient.GradientClient

/**
 * Everything that `Images` needs, from options.
 *
 * @category layers
 */
export const layer = (options: Options): Layer.Layer<Services, GradientError.GradientError> =>
  complete(GradientClient.layer(options), options)

/**
 * Everything that `Images` needs, with key and endpoint from the environment: see `GradientClient.layerFromConfig`. For
 * runtimes without undici, such as Bun; a page has no environment.
 *
 * @category layers
 */
export const layerFromConfig = (
  options: Options = {}
): Layer.Layer<Services, Config.ConfigError | GradientError.GradientError> =>
  complete(GradientClient.layerFromConfig(options), options)

const complete = <E>(
  client: Layer.Layer<GradientClient.GradientClient, E, HttpClient.HttpClient>,
  options: TransportOptions
) => Images.layer.pipe(Layer.provideMerge(client), Layer.provide(layerHttpClient(options)))
