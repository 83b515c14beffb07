/**
 * Layers for Node: `Images` over undici, or only an HttpClient on undici.
 */
import { GradientClient, GradientError, Images } from "@effect-gradient/core"
import * as Config from "effect/Config"
import type * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as HttpClient from "effect/http/HttpClient"
import * as Layer from "effect/Layer"
import * as Option from "effect/Option"
import { makeSender, type Proxies } from "./internal/agent.ts"
import * as Dispatch from "./internal/dispatch.ts"

/**
 * Options of the HttpClient.
 *
 * @category models
 * @since 0.1.0
 */
export interface TransportOptions {
  /**
   * The maximum time to open a connection; through a proxy, the maximum time of each step, such as the tunnel. undici
   * measures it in real time, and fails up to about a second later. Default: 10 seconds.
   */
  readonly connectTimeout?: Duration.Input | undefined
  /**
   * The URL of an HTTP proxy, such as `http://user:password@proxy:3128`. It overrides the environment variables, also
   * `NO_PROXY`.
   */
  readonly proxy?: string | undefined
  /**
   * Certificates in PEM format. `ca` is trusted in addition to the default authorities. `cert` and `key` are the
   * client's own, and `passphrase` decrypts the key.
   */
  readonly tls?:
    | {
        readonly ca?: string | undefined
        readonly cert?: string | undefined
        readonly key?: string | undefined
        readonly passphrase?: string | undefined
      }
    | undefined
}

/**
 * Options of the client for the service and of its HttpClient.
 *
 * @category models
 * @since 0.1.0
 */
export interface Options extends GradientClient.Options, TransportOptions {}

/** Loads undici. This happens only when a layer is built, so that importing this module is fast. */
const loadUndici = Effect.suspend(() =>
  "Bun" in globalThis
    ? Effect.fail(
        GradientError.fromReason(
          new GradientError.InvalidParamsError({
            description: "NodeImages does not work on Bun: use BrowserImages.layer of @effect-gradient/browser"
          })
        )
      )
    : Effect.promise(() => import("@effect/platform-node/Undici"))
)

const makeHttpClient = (options: TransportOptions, environment: Proxies) =>
  Effect.gen(function* () {
    const undici = yield* loadUndici
    const sender = yield* Effect.acquireRelease(makeSender(undici, options, environment), ({ dispatcher }) =>
      Effect.promise(() => dispatcher.destroy())
    )
    return Dispatch.make(sender)
  })

/**
 * Provides an HttpClient with undici connections of its own, which are closed when the layer's scope closes. It does
 * not read environment variables.
 *
 * @category layers
 * @since 0.1.0
 */
export const layerHttpClient = (
  options: TransportOptions = {}
): Layer.Layer<HttpClient.HttpClient, GradientError.GradientError> =>
  Layer.effect(HttpClient.HttpClient, makeHttpClient(options, {}))

/**
 * Reads an environment variable with this name in lower or upper case. Lower case has priority, as in other programs.
 * An empty variable counts as unset.
 */
const variable = (name: string) =>
  Config.String(name.toLowerCase()).pipe(
    Config.orElse(() => Config.String(name)),
    Config.option,
    Config.map(Option.map((value) => value.trim())),
    Config.map(Option.filter((value) => value !== "")),
    Config.map(Option.getOrUndefined)
  )

/**
 * Reads a variable with the URL of a proxy. A proxy without a scheme, such as `proxy:3128`, is allowed, as in other
 * programs.
 */
const proxyVariable = (name: string) =>
  Config.map(variable(name), (value) => (value === undefined || value.includes("://") ? value : `http://${value}`))

const proxiesConfig: Config.Config<Proxies> = Config.all({
  http: proxyVariable("HTTP_PROXY"),
  https: proxyVariable("HTTPS_PROXY"),
  except: variable("NO_PROXY")
})

/**
 * Provides an HttpClient that uses the proxies in the environment variables `HTTPS_PROXY` and `HTTP_PROXY`, except for
 * the hosts in `NO_PROXY`. The names may be in upper or lower case. Without `HTTPS_PROXY`, requests to https URLs use
 * `HTTP_PROXY` too. If the option `proxy` is set, the three variables are ignored.
 *
 * @category layers
 * @since 0.1.0
 */
export const layerHttpClientFromConfig = (
  options: TransportOptions = {}
): Layer.Layer<HttpClient.HttpClient, Config.ConfigError | GradientError.GradientError> =>
  Layer.effect(
    HttpClient.HttpClient,
    Effect.flatMap(proxiesConfig, (environment) => makeHttpClient(options, environment))
  )

/**
 * Provides `Images` with these options. Also provides `GradientClient`, which `Models.list` needs.
 *
 * @category layers
 * @since 0.1.0
 */
export const layer = (
  options: Options
): Layer.Layer<Images.Images | GradientClient.GradientClient, GradientError.GradientError> =>
  complete(GradientClient.layer(options), layerHttpClient(options))

/**
 * Provides `Images` with options of which each can be a `Config`.
 *
 * @category layers
 * @since 0.1.0
 */
export const layerConfig = (
  options: Config.Wrap<Options>
): Layer.Layer<Images.Images | GradientClient.GradientClient, Config.ConfigError | GradientError.GradientError> =>
  Layer.unwrap(Effect.map(Config.unwrap(options), layer))

/**
 * Provides `Images`. The key, the base URL, the model and the proxies come from environment variables, unless `options`
 * sets them. See `GradientClient.layerFromConfig` and `layerHttpClientFromConfig`.
 *
 * @category layers
 * @since 0.1.0
 */
export const layerFromConfig = (
  options: Options = {}
): Layer.Layer<Images.Images | GradientClient.GradientClient, Config.ConfigError | GradientError.GradientError> =>
  complete(GradientClient.layerFromConfig(options), layerHttpClientFromConfig(options))

const complete = <E, E2>(
  client: Layer.Layer<GradientClient.GradientClient, E, HttpClient.HttpClient>,
  transport: Layer.Layer<HttpClient.HttpClient, E2>
) => Images.layer.pipe(Layer.provideMerge(client), Layer.provide(transport))
