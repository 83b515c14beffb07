/**
 * Emulates the images endpoint: `layerServer` on a port, `layerHttpClient` in process. The emulator draws images, the
 * same ones for the same request, and replies in the real service's format. It accepts any key, but replies with 401 to
 * a request for images or models that has none. Nothing costs money.
 */
import type { GradientError } from "@effect-gradient/core"
import * as NodeHttpServer from "@effect/platform-node/NodeHttpServer"
import type * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as HttpClient from "effect/http/HttpClient"
import * as HttpClientError from "effect/http/HttpClientError"
import * as HttpServer from "effect/http/HttpServer"
import type * as HttpServerError from "effect/http/HttpServerError"
import * as HttpServerRequest from "effect/http/HttpServerRequest"
import * as HttpServerResponse from "effect/http/HttpServerResponse"
import * as Layer from "effect/Layer"
import * as Http from "node:http"
import * as Fault from "./Fault.ts"
import { Connection } from "./internal/endpoint/Connection.ts"
import * as Endpoint from "./internal/endpoint/endpoint.ts"
import * as InProcess from "./internal/endpoint/inProcess.ts"
import * as Models from "./internal/endpoint/models.ts"
import * as OnPort from "./internal/endpoint/onPort.ts"
import { layer as layerLedger, type Ledger } from "./Ledger.ts"

/**
 * Options of the emulator, on a port or in process.
 *
 * @category models
 * @since 0.1.0
 */
export interface EmulatorOptions {
  /** How long the emulator waits, once it has accepted a request for images, before it replies. Default: 0. */
  readonly latency?: Duration.Input | undefined
  /** A pause before each image of a stream, partial or final. Default: 0. */
  readonly pace?: Duration.Input | undefined
  /** Another seed gives another image for the same prompt. Default: 0. */
  readonly seed?: number | undefined
  /**
   * `painted` images are painted from the prompt, and take about 0.3 s each at 1024x1024. `plain` images have one
   * colour, whatever the prompt, and take little time: use them in load tests. Default: `painted`.
   */
  readonly images?: "painted" | "plain" | undefined
  /**
   * The models that exist. A request without a model gets the first one. A request for another model gets a 404.
   * Default: `defaultModels`.
   */
  readonly models?: ReadonlyArray<string> | undefined
  /**
   * The faults to simulate. A valid request for images gets the first one that has any of its `times` left, unless a
   * fault that it chose itself applies (see `allowFaultHeader`). Apart from this order, `retired` affects the requests
   * for its model. Default: none.
   */
  readonly faults?: ReadonlyArray<Fault.Input> | undefined
  /** Whether a request for images may choose its own fault, in the header `x-emulator-fault`. Default: false. */
  readonly allowFaultHeader?: boolean | undefined
  /** Whether to log a line for each request: method, path, status, duration and what was charged. Default: false. */
  readonly logRequests?: boolean | undefined
}

/**
 * Options of the emulator on a port.
 *
 * @category models
 * @since 0.1.0
 */
export interface ServerOptions extends EmulatorOptions {
  /** The port to listen on. If it is 0, any free port is used, and `baseUrl` contains its number. */
  readonly port: number
  /** The address to listen on. Default: `127.0.0.1`, which only this machine can reach. */
  readonly host?: string | undefined
}

/**
 * The models that the real service is believed to have, and the successors that OpenAI names for some of them.
 *
 * @category models
 * @since 0.1.0
 */
export const defaultModels: ReadonlyArray<string> = Models.defaultModels

const endpoint = Effect.fnUntraced(function* (options: EmulatorOptions) {
  const { allowFaultHeader = false, latency = 0, logRequests = false, models = defaultModels } = options
  const { faults = [], pace = 0, images = "painted", seed = 0 } = options
  const decoded = yield* Effect.forEach(faults, Fault.make)
  return yield* Endpoint.make({ latency, pace, seed, images, models, faults: decoded, allowFaultHeader, logRequests })
})

/**
 * The base URL of the emulator on a port, such as `http://127.0.0.1:52113/v1`: a value for `GRADIENT_BASE_URL`.
 *
 * @category accessors
 * @since 0.1.0
 */
export const baseUrl: Effect.Effect<string, never, HttpServer.HttpServer> = HttpServer.addressFormattedWith((address) =>
  Effect.succeed(`${address}/v1`)
)

/**
 * Whether the first fault is `refuse` without `times`. Then the emulator on a port refuses every connection: it does
 * not listen, so clients know that nothing was sent. With any other `refuse`, it accepts the connection and closes it,
 * and clients cannot know whether their request was carried out.
 *
 * @category accessors
 * @since 0.1.0
 */
export const refusesAll = ([first]: ReadonlyArray<Fault.Input> = []): boolean =>
  typeof first === "string"
    ? first.trim() === "refuse"
    : first !== undefined && first._tag === "refuse" && first.times === undefined

/** A server that closes with its scope, even if clients are connected. */
const nodeServer = ({ faults, host = "127.0.0.1", port }: ServerOptions) =>
  Layer.unwrap(
    Effect.sync(() => {
      const server = Http.createServer()
      const listening = NodeHttpServer.layerServer(() => server, { port, host, disablePreemptiveShutdown: true })
      const refusing = Effect.sync(() => (refusesAll(faults) ? server.close() : server))
      const ending = Effect.addFinalizer(() => Effect.sync(() => server.closeAllConnections()))
      return Layer.provideMerge(Layer.effectDiscard(Effect.andThen(refusing, ending)), listening)
    })
  )

/**
 * The emulator on a port. Fails with `ServeError` if it cannot listen on the port, and with a `GradientError`, of the
 * reason `InvalidParamsError`, if a fault cannot be decoded.
 *
 * @category layers
 * @since 0.1.0
 */
export const layerServer = (
  options: ServerOptions
): Layer.Layer<HttpServer.HttpServer | Ledger, HttpServerError.ServeError | GradientError.GradientError> =>
  Layer.effectDiscard(
    Effect.flatMap(endpoint(options), (app) =>
      HttpServer.serveEffect(Effect.provideServiceEffect(app, Connection, OnPort.connection))
    )
  ).pipe(Layer.provideMerge(Layer.merge(nodeServer(options), Layer.fresh(layerLedger))))

const inProcess = (options: EmulatorOptions) =>
  Effect.map(endpoint(options), (app) =>
    HttpClient.make((request) =>
      app.pipe(
        Effect.provideService(HttpServerRequest.HttpServerRequest, HttpServerRequest.fromClientRequest(request)),
        Effect.provideService(Connection, InProcess.connection),
        Effect.scoped,
        Effect.map((response) => HttpServerResponse.toClientResponse(response, { request })),
        Effect.mapError(
          (cause) =>
            new HttpClientError.HttpClientError({ reason: new HttpClientError.TransportError({ request, cause }) })
        )
      )
    )
  )

/**
 * The emulator in process: an HttpClient that opens no connection. It answers requests to any host, also under
 * `TestClock`. Fails with a `GradientError`, of the reason `InvalidParamsError`, if a fault cannot be decoded.
 *
 * @category layers
 * @since 0.1.0
 */
export const layerHttpClient = (
  options: EmulatorOptions = {}
): Layer.Layer<HttpClient.HttpClient | Ledger, GradientError.GradientError> =>
  Layer.effect(HttpClient.HttpClient, inProcess(options)).pipe(Layer.provideMerge(Layer.fresh(layerLedger)))
