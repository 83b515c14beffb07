/**
 * Layers for Node: the transport on undici, alone or with everything that `Images` needs.
 */
import * as NodeHttpClient from "@effect/platform-node/NodeHttpClient"
import * as Undici from "@effect/platform-node/Undici"
import { GradientClient, Images } from "@effect-gradient/core"
import type * as Config from "effect/Config"
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as HttpClient from "effect/http/HttpClient"
import * as Layer from "effect/Layer"
import { getCACertificates } from "node:tls"
import { readable } from "./internal/responseBody.ts"

/**
 * Options of the transport.
 *
 * @category models
 */
export interface TransportOptions {
  /** How long a connection may take. A real timer, rounded up to about a second. Default: 10 seconds. */
  readonly connectTimeout?: Duration.Input | undefined
  /** The URL of an HTTP proxy: `http://user:password@proxy:3128`. */
  readonly proxy?: string | undefined
  /** Certificates in PEM: `ca` to trust beside the usual ones; your own `cert` and its `key`. */
  readonly tls?:
    | {
        readonly ca?: string | undefined
        readonly cert?: string | undefined
        readonly key?: string | undefined
        readonly passphrase?: string | undefined
      }
    | undefined
}

/** Marks an error that came before undici began to send: the proof that nothing can have been charged for. */
const witnessSending = (handler: Undici.Dispatcher.DispatchHandler): Undici.Dispatcher.DispatchHandler => {
  let started = false
  return {
    onRequestStart: (controller, context) => {
      started = true
      handler.onRequestStart?.(controller, context)
    },
    onResponseStart: (...args) => handler.onResponseStart?.(...args),
    onResponseData: (...args) => handler.onResponseData?.(...args),
    onResponseEnd: (...args) => handler.onResponseEnd?.(...args),
    onResponseError: (controller, error) => {
      if (!started) GradientClient.markNotSent(error)
      handler.onResponseError?.(controller, error)
    }
  }
}

/** The timeouts are the library's own, so undici's are off. */
const sending: Undici.Dispatcher.DispatcherComposeInterceptor = (dispatch) => (options, handler) =>
  dispatch({ ...options, headersTimeout: 0, bodyTimeout: 0 }, witnessSending(handler))

/** Its value is not repeated: there can be a password in it. */
const refuseProxy: Undici.Dispatcher.DispatcherComposeInterceptor = () => (_options, _handler) => {
  throw new Undici.errors.InvalidArgumentError("proxy: it is no URL of http or https, such as http://proxy:3128")
}

/** HTTP/1.1 only: over HTTP/2 a cut body can look complete, and one socket carries every paid request. */
const makeAgent = ({ connectTimeout = "10 seconds", proxy, tls }: TransportOptions): Undici.Dispatcher => {
  const ca = tls?.ca === undefined ? {} : { ca: [...getCACertificates("default"), tls.ca] }
  if (proxy !== undefined && !/^https?:/.test(URL.parse(proxy)?.protocol ?? "")) {
    return new Undici.Agent().compose(refuseProxy)
  }
  const connect = { ...tls, ...ca, timeout: Duration.toMillis(connectTimeout) }
  const agent =
    proxy === undefined
      ? new Undici.Agent({ allowH2: false, connect })
      : new Undici.ProxyAgent({ uri: proxy, allowH2: false, connect, requestTls: connect })
  return agent.compose(sending)
}

/**
 * The transport: an undici Agent of its own, closed with the layer.
 *
 * @category layers
 */
export const layerHttpClient = (options: TransportOptions = {}): Layer.Layer<HttpClient.HttpClient> =>
  Layer.effect(
    HttpClient.HttpClient,
    Effect.map(HttpClient.HttpClient, HttpClient.transformResponse(Effect.map(readable)))
  ).pipe(
    Layer.provide(NodeHttpClient.layerUndiciNoDispatcher),
    Layer.provide(
      Layer.effect(
        NodeHttpClient.Dispatcher,
        Effect.acquireRelease(
          Effect.sync(() => makeAgent(options)),
          (agent) => Effect.promise(() => agent.destroy())
        )
      )
    )
  )

/**
 * Everything that `Images` needs, from options.
 *
 * @category layers
 */
export const layer = (options: GradientClient.Options, transport?: TransportOptions): Layer.Layer<Images.Images> =>
  complete(GradientClient.layer(options), transport)

/**
 * Everything that `Images` needs, from Configs.
 *
 * @category layers
 */
export const layerConfig = (
  options: Config.Wrap<GradientClient.Options>,
  transport?: TransportOptions
): Layer.Layer<Images.Images, Config.ConfigError> => complete(GradientClient.layerConfig(options), transport)

/**
 * Everything that `Images` needs, with key and endpoint from the environment: see `GradientClient.layerFromConfig`.
 *
 * @category layers
 */
export const layerFromConfig = (
  options?: GradientClient.Options,
  transport?: TransportOptions
): Layer.Layer<Images.Images, Config.ConfigError> => complete(GradientClient.layerFromConfig(options), transport)

const complete = <E>(
  client: Layer.Layer<GradientClient.GradientClient, E, HttpClient.HttpClient>,
  transport?: TransportOptions
) => Images.layer.pipe(Layer.provide(client), Layer.provide(layerHttpClient(transport)))
