/**
 * Layers for browsers, workers and edge runtimes: the transport on fetch, alone or with everything that `Images` needs.
 *
 * A key must never be in a page: give the `baseUrl` of a gateway that holds it (`ImagesGateway` of
 * `@effect-gradient/node`).
 */
import { GradientClient, type GradientError, Images } from "@effect-gradient/core"
import * as Context from "effect/Context"
import * as Effect from "effect/Effect"
import * as FetchHttpClient from "effect/http/FetchHttpClient"
import * as HttpClient from "effect/http/HttpClient"
import * as HttpClientRequest from "effect/http/HttpClientRequest"
import * as Layer from "effect/Layer"

/**
 * Options of the transport.
 *
 * @category models
 */
export interface TransportOptions {
  /** What goes with every request: `credentials`, `cache`, ... It is added to the ambient `FetchHttpClient.RequestInit`. */
  readonly requestInit?: Omit<RequestInit, "method" | "headers" | "body" | "redirect" | "signal"> | undefined
}

/** Chromium sends a POST again by itself when a connection closes early; a gateway tells the two apart by this id. */
const withAttemptId = HttpClient.mapRequestEffect((request) =>
  Effect.sync(() => HttpClientRequest.setHeader(request, "x-attempt-id", randomId()))
)

/** 128 bits in hexadecimal; `crypto.randomUUID` is missing on pages without TLS. */
const randomId = () =>
  Array.from(crypto.getRandomValues(new Uint8Array(16)), (byte) => byte.toString(16).padStart(2, "0")).join("")

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
      // The ambient RequestInit can stand where the layer is built and where a call is made; a new one replaces it whole.
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
      return withAttemptId(merged)
    })
  ).pipe(Layer.provide(FetchHttpClient.layer))

/**
 * Everything that `Images` needs.
 *
 * @category layers
 */
export const layer = (
  options: GradientClient.Options,
  transport?: TransportOptions
): Layer.Layer<Images.Images, GradientError.GradientError> =>
  Images.layer.pipe(Layer.provide(GradientClient.layer(options)), Layer.provide(layerHttpClient(transport)))
