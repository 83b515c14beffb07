/**
 * The images endpoint, emulated. It paints a picture from the prompt, the same one each time, and answers as the real
 * service does: `layerServer` on a port, `layerHttpClient` in process. No key costs anything here, and none is checked.
 */
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
import * as Endpoint from "./internal/endpoint/endpoint.ts"

/**
 * What both edges take.
 *
 * @category models
 */
export interface EmulatorOptions {
  /** How long the service thinks before it answers. Default: 0. */
  readonly latency?: Duration.Input | undefined
  /** The time between the pictures of a stream, and before its first. Default: 0. */
  readonly pace?: Duration.Input | undefined
  /** Other pictures for the same prompts. Default: 0. */
  readonly seed?: number | undefined
}

/**
 * Where to listen, and what the emulator does there.
 *
 * @category models
 */
export interface ServerOptions extends EmulatorOptions {
  /** 0 is any free port; `baseUrl` tells which. */
  readonly port: number
  /** Default: `127.0.0.1`, which only this machine reaches. */
  readonly host?: string | undefined
}

const endpoint = ({ latency = 0, pace = 0, seed = 0 }: EmulatorOptions) => Endpoint.make({ latency, pace, seed })

/**
 * Where the emulator listens, for `GRADIENT_BASE_URL`: `http://127.0.0.1:52113/v1`.
 *
 * @category accessors
 */
export const baseUrl: Effect.Effect<string, never, HttpServer.HttpServer> = HttpServer.addressFormattedWith((address) =>
  Effect.succeed(`${address}/v1`)
)

/** A server that ends when its scope does, whoever is still connected. */
const nodeServer = (options: ServerOptions) =>
  Layer.unwrap(
    Effect.sync(() => {
      const server = Http.createServer()
      return Layer.effectDiscard(Effect.addFinalizer(() => Effect.sync(() => server.closeAllConnections()))).pipe(
        Layer.provideMerge(
          NodeHttpServer.layerServer(() => server, {
            port: options.port,
            host: options.host ?? "127.0.0.1",
            disablePreemptiveShutdown: true
          })
        )
      )
    })
  )

/**
 * The emulator on a port. Fails if the port cannot be had.
 *
 * @category layers
 */
export const layerServer = (options: ServerOptions): Layer.Layer<HttpServer.HttpServer, HttpServerError.ServeError> =>
  Layer.effectDiscard(Effect.flatMap(endpoint(options), (app) => HttpServer.serveEffect(app))).pipe(
    Layer.provideMerge(nodeServer(options))
  )

/**
 * The emulator in process: an HttpClient that sends nothing anywhere, also under `TestClock`. It answers at any host.
 *
 * @category layers
 */
export const layerHttpClient = (options: EmulatorOptions = {}): Layer.Layer<HttpClient.HttpClient> =>
  Layer.effect(
    HttpClient.HttpClient,
    Effect.map(endpoint(options), (app) =>
      HttpClient.make((request) =>
        app.pipe(
          Effect.provideService(HttpServerRequest.HttpServerRequest, HttpServerRequest.fromClientRequest(request)),
          Effect.scoped,
          Effect.map((response) => HttpServerResponse.toClientResponse(response, { request })),
          Effect.mapError(
            (cause) =>
              new HttpClientError.HttpClientError({ reason: new HttpClientError.TransportError({ request, cause }) })
          )
        )
      )
    )
  )
