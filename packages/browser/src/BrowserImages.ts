/**
 * Layers for browsers, workers and edge runtimes. `layer` and `layerFromConfig` provide `Images` on fetch,
 * `layerHttpClient` only an HttpClient on fetch.
 *
 * A page must never contain the key of the service. Set `baseUrl` to a gateway that has that key
 * (`@effect-gradient/gateway`).
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
 * Options of the HttpClient that `layerHttpClient` provides.
 *
 * @category models
 * @since 0.1.0
 */
export interface TransportOptions {
  /**
   * Options of every fetch, such as `credentials`. Each overrides the same option of the ambient
   * `FetchHttpClient.RequestInit`.
   */
  readonly requestInit?: Omit<RequestInit, "method" | "headers" | "body" | "redirect" | "signal"> | undefined
}

/**
 * Options of `layer`: of the client, of its HttpClient and of reconnections.
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
 * A request with images that were not all taken: see `pending`. `response` and `events` ask the gateway for the reply,
 * and never send the request again.
 *
 * @category models
 * @since 0.1.0
 */
export interface PendingRequest {
  readonly id: string
  readonly params: ImageGenerateParams.ImageGenerateParamsStreaming
  /** When the call that sent the request began, in milliseconds since 1970. */
  readonly sentAt: number
  /** Waits until all images have arrived, and returns the complete response. */
  readonly response: Effect.Effect<ImageGenerateResponse.ImageGenerateResponse, GradientError.GradientError>
  /**
   * The images as a stream. It begins with the images that are complete already and, if the gateway has it, the newest
   * partial image, and continues as further images arrive.
   */
  readonly events: Stream.Stream<ImageGenStreamEvent.ImageGenStreamEvent, GradientError.GradientError>
  /**
   * Removes the request from the list. The gateway does not cancel the request, so its images are charged for all the
   * same.
   */
  readonly forget: Effect.Effect<void>
}

/**
 * The service that lists the pending requests. See `pending`.
 *
 * @category services
 * @since 0.1.0
 */
export class PendingRequests extends Context.Service<
  PendingRequests,
  { readonly list: Effect.Effect<ReadonlyArray<PendingRequest>> }
>()("@effect-gradient/browser/PendingRequests") {}

/**
 * Lists the requests to the same gateway with images that were not all taken, the oldest first. An earlier page sent
 * them and was reloaded or left, or a call of this page ended early, for example because it could not reconnect. With
 * the default storage, the earlier pages are those of the same tab. Requests that run through this layer are not
 * listed, nor are those that ended with a failure after which no image is expected. With `localStorage`, requests that
 * run in another tab are listed: asking for their images is not charged for, and both tabs get them. The gateway must
 * be durable. If `reconnect` is `false`, or there is no storage, the list is empty.
 *
 * The images of `generateStream` count as taken when all of them were read, and neither the stream nor its consumer
 * failed or was interrupted. So store each image within the stream, for example with `Stream.tap`, or use
 * `pendingUntilDone`. The images of `generate` count as taken when `generate` returns. Within `pendingUntilDone`, the
 * effect around the call must also have succeeded.
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
 * Runs `self`. After the images of one of its requests have arrived, that request stays pending until `self` succeeds.
 * If the page is reloaded or left before an image is stored, or if storing the image fails, `pending` lists the request
 * later; with the default storage, only in the same tab.
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

/** Whether the platform is a browser, or a worker in one. These have `navigator.onLine`; Node, Bun and Deno do not. */
const isBrowser = "navigator" in globalThis && "onLine" in globalThis.navigator

/**
 * On Deno, sends each request body as a stream, which Deno cannot resend. Deno resends any other POST if a kept-alive
 * connection breaks before the head of the reply arrives, and the image could then be charged for twice.
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
 * for twice. It sends a new `x-attempt-id` with each POST, and with any other request that does not join an earlier
 * one. In a browser, the rest of a body that its reader leaves is read for up to 5 seconds, unless the request is
 * aborted.
 *
 * @category layers
 * @since 0.1.0
 */
export const layerHttpClient = ({ requestInit }: TransportOptions = {}): Layer.Layer<HttpClient.HttpClient> =>
  Layer.effect(
    HttpClient.HttpClient,
    Effect.gen(function* () {
      const client = yield* HttpClient.HttpClient
      // An application can provide a RequestInit for the layer and another one for a call. Both are merged. If both
      // have the same option, that of the call is used.
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
 * durable gateway breaks, by default a call in a browser reconnects to get its images: see `Reconnect`.
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
 * Provides `Images` and `GradientClient` with the key, the base URL and the model from environment variables. `options`
 * override these. Use it on servers whose runtime has no undici, such as Bun. In a page, which has no environment, use
 * `layer`. Calls do not reconnect. See `GradientClient.layerFromConfig`.
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
