/**
 * Layers for Node: the transport on undici, alone or with everything that `Images` needs.
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
 * Options of the transport.
 *
 * @category models
 */
export interface TransportOptions {
  /** How long connecting may take. A real timer, rounded up to about a second. Default: 10 seconds. */
  readonly connectTimeout?: Duration.Input | undefined
  /** The URL of an HTTP proxy: `http://user:password@proxy:3128`. It overrides the environment's. */
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

/**
 * Options of the client and of its transport.
 *
 * @category models
 */
export interface Options extends GradientClient.Options, TransportOptions {}

/** Loaded when the layer is built, so that importing this module stays fast. */
const loadUndici = Effect.suspend(() =>
  "Bun" in globalThis
    ? Effect.fail(
        GradientError.fromReason(
          new GradientError.InvalidParamsError({
            description: "Bun has no undici: use BrowserImages.layer of @effect-gradient/browser instead of NodeImages"
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
 * The transport: an undici Agent of its own, closed with the layer. It does not read the environment.
 *
 * @category layers
 */
export const layerHttpClient = (
  options: TransportOptions = {}
): Layer.Layer<HttpClient.HttpClient, GradientError.GradientError> =>
  Layer.effect(HttpClient.HttpClient, makeHttpClient(options, {}))

/** An environment variable in lower or upper case; lower case first, as other programs do. */
const variable = (name: string) =>
  Config.String(name.toLowerCase()).pipe(
    Config.orElse(() => Config.String(name)),
    Config.option,
    Config.map(Option.map((value) => value.trim())),
    Config.map(Option.getOrUndefined)
  )

/** Other programs take `proxy:3128` as well. */
const proxyVariable = (name: string) =>
  Config.map(variable(name), (value) =>
    value === undefined || value === "" || value.includes("://") ? value : `http://${value}`
  )

const proxiesConfig: Config.Config<Proxies> = Config.all({
  http: proxyVariable("HTTP_PROXY"),
  https: proxyVariable("HTTPS_PROXY"),
  except: variable("NO_PROXY")
})

/**
 * The transport with the proxies of `HTTPS_PROXY`, `HTTP_PROXY` and `NO_PROXY`, in upper or lower case, unless `proxy` is
 * given.
 *
 * @category layers
 */
export const layerHttpClientFromConfig = (
  options: TransportOptions = {}
): Layer.Layer<HttpClient.HttpClient, Config.ConfigError | GradientError.GradientError> =>
  Layer.effect(
    HttpClient.HttpClient,
    Effect.flatMap(proxiesConfig, (environment) => makeHttpClient(options, environment))
  )

/** The two that `Images` needs, and `GradientClient` for what needs only that. */
type Services = Images.Images | GradientClient.GradientClient

/**
 * Everything that `Images` needs, from options.
 *
 * @category layers
 */
export const layer = (options: Options): Layer.Layer<Services, GradientError.GradientError> =>
  complete(GradientClient.layer(options), layerHttpClient(options))

/**
 * Everything that `Images` needs, from Configs.
 *
 * @category layers
 */
export const layerConfig = (
  options: Config.Wrap<Options>
): Layer.Layer<Services, Config.ConfigError | GradientError.GradientError> =>
  Layer.unwrap(Effect.map(Config.unwrap(options), layer))

/**
 * Everything that `Images` needs, with key and endpoint from the environment: see `GradientClient.layerFromConfig`
 * and `layerHttpClientFromConfig`.
 *
 * @category layers
 */
export const layerFromConfig = (
  options: Options = {}
): Layer.Layer<Services, Config.ConfigError | GradientError.GradientError> =>
  complete(GradientClient.layerFromConfig(options), layerHttpClientFromConfig(options))

const complete = <E, E2>(
  client: Layer.Layer<GradientClient.GradientClient, E, HttpClient.HttpClient>,
  transport: Layer.Layer<HttpClient.HttpClient, E2>
) => Images.layer.pipe(Layer.provideMerge(client), Layer.provide(transport))
