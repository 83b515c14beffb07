/**
 * Layers for browsers, workers and edge runtimes: an HttpClient on fetch, alone or together with `Images`.
 *
 * A page must never contain a key. Set `baseUrl` to a gateway that has the key (`@effect-gradient/gateway`).
 */
import {
  GradientClient,
  type GradientError,
  type ImageGenerateParams,
  type ImageGenerateResponse,
  Images,
  type ImageGenStreamEvent
} from "@effect-gradient/core"
import type * as Config from "effect/Config"
import * as Context from "effect/Context"
import * as Effect from "effect/Effect"
import * as FetchHttpClient from "effect/http/FetchHttpClient"
import * as HttpClient from "effect/http/HttpClient"
import * as HttpClientRequest from "effect/http/HttpClientRequest"
import * as Layer from "effect/Layer"
import * as Stream from "effect/Stream"
import { withAttemptId } from "./internal/attemptId.ts"
import { make, PendingScope } from "./internal/joining.ts"
import { withRestRead } from "./internal/readRest.ts"
import type * as Reconnect from "./Reconnect.ts"

/**
 * Options of the HttpClient.
 *
 * @category models
 * @since 0.1.0
 */
export interface TransportOptions {
  /** Options of every fetch, such as `credentials`. They override the ambient `FetchHttpClient.RequestInit`. */
  readonly requestInit?: Omit<RequestInit, "method" | "headers" | "body" | "redirect" | "signal"> | undefined
}

/**
 * Options of the client, of its HttpClient and of reconnections.
 *
 * @category models
 * @since 0.1.0
 */
export interface Options extends GradientClient.Options, TransportOptions {
  /**
   * How a call reconnects after its connection to the gateway has broken. `false`: the call fails instead. Default: it
   * reconnects for up to 5 minutes in a browser. Elsewhere the default is `false`, because the endpoint there is mostly
   * the service itself, which keeps no images.
   */
  readonly reconnect?: Reconnect.Options | false | undefined
}

/**
 * A request of an earlier page. Its images had not all been taken when that page was left. To join it never sends it
 * again.
 *
 * @category models
 * @since 0.1.0
 */
export interface PendingRequest {
  readonly id: string
  readonly params: ImageGenerateParams.ImageGenerateParamsStreaming
  /** The time of the call, in milliseconds since 1970. */
  readonly sentAt: number
  /** Waits until all images have arrived, and returns the complete response. */
  readonly response: Effect.Effect<ImageGenerateResponse.ImageGenerateResponse, GradientError.GradientError>
  /** The images as they arrive, the newest partial image first. */
  readonly events: Stream.Stream<ImageGenStreamEvent.ImageGenStreamEvent, GradientError.GradientError>
  /** Removes the request from the list. Its images are still generated and charged for. */
  readonly forget: Effect.Effect<void>
}

/**
 * Lists the requests of an earlier page that had not ended when that page was left.
 *
 * @category services
 * @since 0.1.0
 */
export class PendingRequests extends Context.Service<
  PendingRequests,
  { readonly list: Effect.Effect<ReadonlyArray<PendingRequest>> }
>()("@effect-gradient/browser/PendingRequests") {}

/**
 * The requests of an earlier page: their images had not all been taken when it was reloaded or left. The oldest is first.
 * Requests that run in this page are not included. The gateway must be durable.
 *
 * The images of `generateStream` are taken when the stream was read to its end without a failure, and what read it too: so
 * store them within the stream, such as with `Stream.tap`, or use `pendingUntilDone`. The images of `generate` are taken when
 * it returns, unless `pendingUntilDone` is around it.
 *
 * @example
 * ```ts
 * import { BrowserImages } from "@effect-gradient/browser"
 * import { Effect } from "effect"
 *
 * const program = Effect.gen(function* () {
 *   for (const { params, response } of yield* BrowserImages.pending) {
 *     yield* Effect.log(params.prompt, (yield* response).data[0].bytes.length)
 *   }
 * }).pipe(Effect.provide(BrowserImages.layer({ baseUrl: "/v1" })))
 * ```
 *
 * @category constructors
 * @since 0.1.0
 */
export const pending: Effect.Effect<ReadonlyArray<PendingRequest>, never, PendingRequests> = Effect.flatMap(
  PendingRequests,
  ({ list }) => list
)

/**
 * Keeps the requests of `self` pending until it succeeds. If the page is closed before an image is stored, or storing it
 * fails, the next page finds the request in `pending`.
 *
 * @example
 * ```ts
 * import { BrowserImages } from "@effect-gradient/browser"
 * import { Images, type ImageGenerateResponse } from "@effect-gradient/core"
 * import { Effect } from "effect"
 *
 * const generateAndStore = <E>(
 *   prompt: string,
 *   store: (response: ImageGenerateResponse.ImageGenerateResponse) => Effect.Effect<void, E>
 * ) => Images.generate({ prompt }).pipe(Effect.flatMap(store), BrowserImages.pendingUntilDone)
 * ```
 *
 * @category combinators
 * @since 0.1.0
 */
export const pendingUntilDone = <A, E, R>(self: Effect.Effect<A, E, R>): Effect.Effect<A, E, R> =>
  Effect.scopedWith((scope) => Effect.provideService(self, PendingScope, scope))

/** Only browsers and their workers know whether they are online. */
const isBrowser = "navigator" in globalThis && "onLine" in globalThis.navigator

/**
 * Deno resends a POST if a kept-alive connection breaks before the head of the reply. The image would then be charged
 * for twice. So each body is sent as a stream, which Deno cannot resend.
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
 * `x-attempt-id` with each request. In a browser, the rest of a body that its reader leaves is read for up to 5 seconds.
 *
 * @category layers
 * @since 0.1.0
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
      const sending = withStreamOnDeno(withAttemptId(merged))
      return isBrowser ? withRestRead(sending) : sending
    })
    // Fresh, because Effect's layer is memoised by reference and keeps the RequestInit and Fetch of its first use.
  ).pipe(Layer.provide(Layer.fresh(FetchHttpClient.layer)))

/**
 * Provides `Images`, and `GradientClient` for `Models.list`, with these options. If the connection to a durable gateway
 * breaks, a call reconnects to get its images; see `Reconnect`.
 *
 * @category layers
 * @since 0.1.0
 */
export const layer = (
  options: Options
): Layer.Layer<Images.Images | GradientClient.GradientClient | PendingRequests, GradientError.GradientError> => {
  const { reconnect = isBrowser ? {} : false } = options
  const transport = complete(GradientClient.layer(options), options)
  const none = Layer.succeed(PendingRequests, { list: Effect.succeed([]) })
  return reconnect === false
    ? Layer.merge(transport, none)
    : Layer.effectContext(
        Effect.map(make(reconnect), ({ images, pending: list }) =>
          Context.make(Images.Images, images).pipe(Context.add(PendingRequests, { list }))
        )
      ).pipe(Layer.provideMerge(transport))
}

/**
 * Provides `Images` with key, base URL and model from the environment. `options` overrides these. For servers on
 * runtimes without undici, such as Bun. A page has no environment. The layer does not reconnect. See
 * `GradientClient.layerFromConfig`.
 *
 * @category layers
 * @since 0.1.0
 */
export const layerFromConfig = (
  options: Omit<Options, "reconnect"> = {}
): Layer.Layer<Images.Images | GradientClient.GradientClient, Config.ConfigError | GradientError.GradientError> =>
  complete(GradientClient.layerFromConfig(options), options)

const complete = <E>(
  client: Layer.Layer<GradientClient.GradientClient, E, HttpClient.HttpClient>,
  options: TransportOptions
) => Images.layer.pipe(Layer.provideMerge(client), Layer.provide(layerHttpClient(options)))
