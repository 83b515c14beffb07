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
import type { Fault } from "./Fault.ts"
import { Connection } from "./internal/endpoint/Connection.ts"
import * as Endpoint from "./internal/endpoint/endpoint.ts"
import * as InProcess from "./internal/endpoint/inProcess.ts"
import * as OnPort from "./internal/endpoint/onPort.ts"
import { layer as layerLedger, type Ledger } from "./Ledger.ts"

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
  /** What goes wrong: each request meets the first one whose `times` are not used up. Default: none. */
  readonly faults?: ReadonlyArray<Fault> | undefined
  /** Whether a request may name its own fault, in the header `x-emulator-fault`. Default: false. */
  readonly allowFaultHeader?: boolean | undefined
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

const endpoint = ({ allowFaultHeader = false, faults = [], latency = 0, pace = 0, seed = 0 }: EmulatorOptions) =>
  Endpoint.make({ latency, pace, seed, faults, allowFaultHeader })

/**
 * Where the emulator listens, for `GRADIENT_BASE_URL`: `http://127.0.0.1:52113/v1`.
 *
 * @category accessors
 */
export const baseUrl: Effect.Effect<string, never, HttpServer.HttpServer> = HttpServer.addressFormattedWith((address) =>
  Effect.succeed(`${address}/v1`)
)

/** Whether every connection is refused, so that nobody has to listen. */
const refusesAll = ([first]: ReadonlyArray<Fault> = []) => first?._tag === "refuse" && first.times === undefined

/** A server that ends when its scope does, whoever is still connected. */
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
 * The emulator on a port. Fails if the port cannot be had.
 *
 * @category layers
 */
export const layerServer = (
  options: ServerOptions
): Layer.Layer<HttpServer.HttpServer | Ledger, HttpServerError.ServeError> =>
  Layer.effectDiscard(
    Effect.flatMap(endpoint(options), (app) =>
      HttpServer.serveEffect(Effect.provideServiceEffect(app, Connection, OnPort.connection))
    )
  ).pipe(Layer.provideMerge(Layer.merge(nodeServer(options), Layer.fresh(layerLedger))))

/** The client whose requests never leave the process. */
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
 * The emulator in process: an HttpClient that sends nothing anywhere, also under `TestClock`. It answers at any host.
 *
 * @category layers
 */
export const layerHttpClient = (options: EmulatorOptions = {}): Layer.Layer<HttpClient.HttpClient | Ledger> =>
  Layer.effect(HttpClient.HttpClient, inProcess(options)).pipe(Layer.provideMerge(Layer.fresh(layerLedger)))
