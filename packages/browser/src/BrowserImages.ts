/**
 * Layers for browsers, workers and edge runtimes. They provide an HttpClient on fetch, alone or together with `Images`.
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
   * How a call reconnects after its connection to the gateway has broken. `false`: the call fails instead. Default: in
   * a browser, the call tries to reconnect for up to 5 minutes. Elsewhere the default is `false`, because servers
   * usually call the service itself, which keeps no images.
   */
  readonly reconnect?: Reconnect.Options | false | undefined
}

/**
 * A request that an earlier page sent. Its images had not all been taken when that page was left. `response` and
 * `events` ask the gateway for the reply, and never send the request again.
 *
 * @category models
 * @since 0.1.0
 */
export interface PendingRequest {
  readonly id: string
  readonly params: ImageGenerateParams.ImageGenerateParamsStreaming
  /** When the request was sent, in milliseconds since 1970. */
  readonly sentAt: number
  /** Waits until all images have arrived, and returns the complete response. */
  readonly response: Effect.Effect<ImageGenerateResponse.ImageGenerateResponse, GradientError.GradientError>
  /**
   * The images as a stream. It begins with the images that are complete already and with the newest partial image, and
   * continues as further images arrive.
   */
  readonly events: Stream.Stream<ImageGenStreamEvent.ImageGenStreamEvent, GradientError.GradientError>
  /** Removes the request from the list. The gateway still generates its images, and they are charged for. */
  readonly forget: Effect.Effect<void>
}

/**
 * The service that lists the requests of earlier pages. See `pending`.
 *
 * @category services
 * @since 0.1.0
 */
export class PendingRequests extends Context.Service<
  PendingRequests,
  { readonly list: Effect.Effect<ReadonlyArray<PendingRequest>> }
>()("@effect-gradient/browser/PendingRequests") {}

/**
 * Lists the requests that earlier pages sent to the same gateway, the oldest first. With the default storage, these are
 * pages of the same tab. A request is listed if its images had not all been taken when its page was reloaded or left.
 * Requests that run in this page, and requests that failed for good, are not listed. The gateway must be durable.
 *
 * The images of `generateStream` count as taken when all of them were read, and neither the stream nor its consumer
 * failed. So store each image within the stream, for example with `Stream.tap`, or use `pendingUntilDone`. The images
 * of `generate` count as taken when `generate` returns, or, within `pendingUntilDone`, when the effect around it
 * succeeds.
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
 * Runs `self`, and keeps its requests pending until `self` succeeds. If the page is reloaded or left before an image is
 * stored, or if storing the image fails, the next page finds the request in `pending`.
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
 * On Deno, sends each request body as a stream, which Deno cannot resend. Deno resends any other POST if a kept-alive
 * connection breaks before the head of the reply arrives, and the image would then be charged for twice.
 */
const withStreamOnDeno = HttpClient.mapRequest((request) =>
  "Deno" in globalThis && request.body._tag === "Uint8Array"
    ? HttpClientRequest.bodyStream(request, Stream.succeed(request.body.body), {
        contentType: request.body.contentType
      })
    : request
)

/**
 * Provides an HttpClient on fetch. It does not follow redirects, because a request that is sent again could be charged
 * for twice. It sends an `x-attempt-id` with each POST. In a browser, the rest of a body that its reader leaves is read
 * for up to 5 seconds.
 *
 * @category layers
 * @since 0.1.0
 */
export const layerHttpClient = ({ requestInit }: TransportOptions = {}): Layer.Layer<HttpClient.HttpClient> =>
  Layer.effect(
    HttpClient.HttpClient,
    Effect.gen(function* () {
      const client = yield* HttpClient.HttpClient
      // An application can provide a RequestInit for the layer and another one for a call. Both are merged, so that no
      // option is lost.
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
    // Effect memoises a layer by reference. Without `Layer.fresh`, all clients would use the RequestInit and Fetch of
    // the first one.
  ).pipe(Layer.provide(Layer.fresh(FetchHttpClient.layer)))

/**
 * Provides `Images`, `GradientClient` for `Models.list`, and `PendingRequests` for `pending`. If the connection to a
 * durable gateway breaks, a call in a browser reconnects to get its images: see `Reconnect`.
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
 * Provides `Images` with the key, the base URL and the model from environment variables. `options` override these. Use
 * it on servers whose runtime has no undici, such as Bun. It cannot be used in a page, which has no environment. Calls
 * do not reconnect. See `GradientClient.layerFromConfig`.
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
