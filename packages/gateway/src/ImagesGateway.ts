/**
 * Serves the images endpoint of DigitalOcean Gradient on your own server, so that pages and other clients do not need
 * the key. Its wire format is that of the service, so that this library, `openai` and curl can call it.
 *
 * `layer` adds the routes. You provide three services: `Callers` identifies callers, `Attempts` sends requests, and
 * Effect's `RateLimiter` counts images, for example in memory or in a Redis that gateways share. All options have safe
 * defaults.
 *
 * @example
 * ```ts
 * import * as NodeHttpServer from "@effect/platform-node/NodeHttpServer"
 * import * as NodeRuntime from "@effect/platform-node/NodeRuntime"
 * import { GradientClient } from "@effect-gradient/core"
 * import { Attempts, Callers, ImagesGateway } from "@effect-gradient/gateway"
 * import { NodeImages } from "@effect-gradient/node"
 * import { Layer, Redacted } from "effect"
 * import { HttpRouter } from "effect/http"
 * import { RateLimiter } from "effect/persistence"
 * import { createServer } from "node:http"
 *
 * const gateway = ImagesGateway.layer({
 *   origins: ["https://app.example.com"],
 *   limits: { images: 20, window: "1 hour" }
 * }).pipe(
 *   Layer.provide([
 *     Callers.layerKeys([Redacted.make("a-long-random-string-of-your-own")]),
 *     Attempts.layerOnce,
 *     RateLimiter.layer.pipe(Layer.provide(RateLimiter.layerStoreMemory))
 *   ]),
 *   Layer.provide(GradientClient.layerFromConfig()),
 *   Layer.provide(NodeImages.layerHttpClient())
 * )
 * HttpRouter.serve(gateway).pipe(
 *   Layer.provide(NodeHttpServer.layer(createServer, { port: 3000 })),
 *   Layer.launch,
 *   NodeRuntime.runMain
 * )
 * ```
 */
import { ImageGenerateParams } from "@effect-gradient/core"
import * as ErrorBody from "@effect-gradient/core/ErrorBody"
import * as ByteSize from "effect/ByteSize"
import type * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as Fiber from "effect/Fiber"
import * as HttpApiBuilder from "effect/http-api/HttpApiBuilder"
import * as HttpApiMiddleware from "effect/http-api/HttpApiMiddleware"
import * as HttpApiScalar from "effect/http-api/HttpApiScalar"
import * as OpenApi from "effect/http-api/OpenApi"
import type * as HttpMethod from "effect/http/HttpMethod"
import * as HttpRouter from "effect/http/HttpRouter"
import * as HttpServer from "effect/http/HttpServer"
import * as HttpServerRequest from "effect/http/HttpServerRequest"
import * as HttpServerResponse from "effect/http/HttpServerResponse"
import * as Layer from "effect/Layer"
import type * as RateLimiter from "effect/persistence/RateLimiter"
import * as ApiError from "./ApiError.ts"
import { Attempts } from "./Attempts.ts"
import { Callers } from "./Callers.ts"
import { Authorization, CurrentCaller, ImagesApi, SchemaErrors } from "./ImagesApi.ts"
import { makeCallerLimit } from "./internal/callerLimit.ts"
import { checkRequest, fromSchemaError } from "./internal/checkRequest.ts"
import { makeOpenRequests } from "./internal/openRequests.ts"
import { makeRequestGuards, RequestId } from "./internal/requestGuards.ts"
import { respond } from "./internal/respond.ts"

/**
 * Rules for the params of a request. Params that core does not know, except `stream`, are always refused.
 *
 * @category options
 * @since 0.1.0
 */
export interface Rules {
  /** The allowed models. A request that names no model gets the first one. Default: only `openai-gpt-image-2`. */
  readonly models?: ReadonlyArray<string> | undefined
  /**
   * The allowed sizes. A request that names no size counts as `auto`. Default: `auto`, `1024x1024`, `1536x1024`,
   * `1024x1536`.
   */
  readonly sizes?: ReadonlyArray<string> | undefined
  /** The maximum number of images that a request may ask for, at most `limits.images`. Default: 1. */
  readonly n?: number | undefined
  /** The maximum number of characters in a prompt. Default: 4,000. */
  readonly promptLength?: number | undefined
}

/**
 * Limits on the images, the open requests and the reading speed of each caller, and on the size and the arrival time of
 * the body of each request. What a request may ask for is in `Rules`.
 *
 * @category options
 * @since 0.1.0
 */
export interface CallerLimits {
  /**
   * The maximum number of images that a caller may request within `window`, on average. In a single window it can be
   * nearly twice as many. Images of requests that were not charged for do not count. Default: 10.
   */
  readonly images?: number | undefined
  /** The duration within which the limit `images` applies. Default: 1 minute. */
  readonly window?: Duration.Input | undefined
  /** The maximum number of requests of one caller that are open at the same time in one process. Default: 1,000. */
  readonly open?: number | undefined
  /** The maximum size of the body of a request. Default: 512 KiB, which is enough for the longest prompt. */
  readonly bodySize?: ByteSize.Input | undefined
  /** The maximum time in which the body of a request must arrive. Default: 30 seconds. */
  readonly bodyTimeout?: Duration.Input | undefined
  /**
   * The maximum time that a caller may take to read a piece of a reply, which has up to 192 KiB of an image. It applies
   * with `Attempts.layerDurable`, while the images of the reply are in memory. If the caller takes longer, the reply
   * can be cut off; after twice this time, it is. The caller can then ask again with the same id. Default: 1 minute.
   */
  readonly readTimeout?: Duration.Input | undefined
}

/**
 * Options of the gateway.
 *
 * @category options
 * @since 0.1.0
 */
export interface Options {
  /**
   * The path before the routes, which are `<path>/images/generations`, `<path>/images/generations/<id>`,
   * `<path>/openapi.json` and `<path>/docs`. Default: `/v1`.
   */
  readonly path?: `/${string}` | undefined
  /** Rules for the params of a request. */
  readonly rules?: Rules | undefined
  /** Limits on the requests of each caller, and on the body of each request. */
  readonly limits?: CallerLimits | undefined
  /**
   * The origins of pages that are allowed to call the gateway, such as `https://app.example.com`. Requests without an
   * `origin` header, and pages of the gateway's own origin on HTTPS or localhost, need no entry. Default: none.
   */
  readonly origins?: ReadonlyArray<string> | undefined
  /** Whether pages of `origins` may send cookies. Set it if `Callers` reads a session cookie. Default: false. */
  readonly credentials?: boolean | undefined
  /**
   * The maximum time without data on the connection of a stream. After it, the gateway sends the response headers or,
   * if they were sent, a comment; in the middle of an event's line it sends nothing. Default: 15 seconds, because
   * proxies often close a connection after 60 seconds without data.
   */
  readonly keepAlive?: Duration.Input | undefined
}

const bodySizeOf = ({ bodySize }: CallerLimits = {}): ByteSize.ByteSize =>
  bodySize === undefined ? ByteSize.kibibytes(512) : ByteSize.fromInputUnsafe(bodySize)

const defaultImages = 10

const withDefaults = (options: Options) => ({
  path: options.path ?? "/v1",
  keepAlive: options.keepAlive ?? "15 seconds",
  origins: (options.origins ?? []).map((origin) => origin.replace(/\/$/, "")),
  credentials: options.credentials ?? false,
  rules: {
    models: options.rules?.models ?? [ImageGenerateParams.defaultModel],
    sizes: options.rules?.sizes ?? ["auto", "1024x1024", "1536x1024", "1024x1536"],
    // A request for more images than the caller's limit could never be sent.
    n: Math.min(options.rules?.n ?? 1, options.limits?.images ?? defaultImages),
    promptLength: options.rules?.promptLength ?? 4000
  },
  limits: {
    images: options.limits?.images ?? defaultImages,
    window: options.limits?.window ?? "1 minute",
    open: options.limits?.open ?? 1000,
    bodySize: bodySizeOf(options.limits),
    bodyTimeout: options.limits?.bodyTimeout ?? "30 seconds",
    readTimeout: options.limits?.readTimeout ?? "1 minute"
  }
})

type Settings = ReturnType<typeof withDefaults>

const slowBody = ApiError.make(408, "The body of the request took too long to arrive.")

/** Identifies the caller, then waits for the body of the request. An unknown caller is refused without this wait. */
const authorization = ({ limits }: Settings) =>
  Layer.effect(
    Authorization,
    Effect.map(Callers, ({ identify }) =>
      Authorization.of({
        bearer: Effect.fnUntraced(function* (app) {
          const request = yield* HttpServerRequest.HttpServerRequest
          const caller = yield* Effect.mapError(identify(request.headers), ({ message }) =>
            ApiError.make(401, message, {
              code: ErrorBody.codes.invalidApiKey,
              headers: { "www-authenticate": "Bearer" }
            })
          )
          // If the body is late, reading it is not interrupted, because Node would then close the connection before the
          // error is sent. If reading the body fails, the error is reported when the payload is decoded.
          const body = yield* Effect.forkScoped(request.text)
          yield* Fiber.await(body).pipe(
            Effect.timeoutOrElse({ duration: limits.bodyTimeout, orElse: () => Effect.fail(slowBody) })
          )
          return yield* app.pipe(
            Effect.provideService(CurrentCaller, caller),
            Effect.annotateLogs({ caller: caller.id })
          )
        })
      })
    )
  )

const schemaErrors = HttpApiMiddleware.layerSchemaErrorTransform(SchemaErrors, (error) =>
  Effect.fail(fromSchemaError(error))
)

/** Writes an id in lower case and without hyphens, so that equal ids are equal texts. */
const plain = (id: string) => id.toLowerCase().replaceAll("-", "")

const isEventStream = (accept = "") => /\btext\/event-stream\b/i.test(accept)

const apiAt = (path: `/${string}`) => ImagesApi.prefix(path)

const endpoint = (api: ReturnType<typeof apiAt>, { keepAlive, limits, rules }: Settings) =>
  HttpApiBuilder.group(
    api,
    "images",
    Effect.fnUntraced(function* (handlers) {
      const attempts = yield* Attempts
      const limitOf = yield* makeCallerLimit(limits)
      const enter = makeOpenRequests(limits.open)
      const timeouts = { keepAlive, readTimeout: limits.readTimeout }
      return handlers
        .handle(
          "generate",
          Effect.fnUntraced(function* ({ headers, payload }) {
            const caller = yield* CurrentCaller
            const request = yield* Effect.fromResult(checkRequest(payload, rules))
            yield* enter(caller.id)
            const limit = yield* limitOf(caller, request.params.n)
            const attemptId = headers["x-attempt-id"]
            const id = {
              caller: caller.id,
              attempt: attemptId && plain(attemptId),
              request: plain(yield* RequestId)
            }
            return yield* respond(attempts.run(id, request, limit), request.kind === "stream", timeouts)
          })
        )
        .handle(
          "join",
          Effect.fnUntraced(function* ({ headers, params }) {
            const caller = yield* CurrentCaller
            yield* enter(caller.id)
            const isStream = isEventStream(headers.accept)
            const id = { caller: caller.id, request: plain(params.id) }
            return yield* respond(attempts.join(id, isStream ? "stream" : "generate"), isStream, timeouts)
          })
        )
    })
  )

const otherMethods = (path: HttpRouter.PathInput, allowed: string, others: ReadonlyArray<HttpMethod.HttpMethod>) => {
  const notAllowed = ApiError.make(405, `This path allows ${allowed}.`, { headers: { allow: allowed } })
  return others.map((method) => HttpRouter.route(method, path, Effect.succeed(ApiError.toResponse(notAllowed))))
}

/** Replies 405 to these other methods. OPTIONS is among them so that the guards run, which answer it themselves. */
const otherRoutes = ({ path }: Settings) =>
  HttpRouter.addAll([
    ...otherMethods(`${path}/images/generations`, "POST, OPTIONS", ["GET", "PUT", "PATCH", "DELETE", "OPTIONS"]),
    ...otherMethods(`${path}/images/generations/:id`, "GET, OPTIONS", ["POST", "PUT", "PATCH", "DELETE", "OPTIONS"])
  ])

/**
 * Adds the routes to the `HttpRouter`: the endpoints, their OpenAPI document and their reference page.
 *
 * @category layers
 * @since 0.1.0
 */
export const layer = (
  options: Options = {}
): Layer.Layer<never, never, Callers | Attempts | RateLimiter.RateLimiter | HttpRouter.HttpRouter> => {
  const settings = withDefaults(options)
  const guard = makeRequestGuards({ ...settings, bodySize: settings.limits.bodySize })
  const api = apiAt(settings.path)
  const routes = HttpApiBuilder.layer(api).pipe(
    Layer.provide(endpoint(api, settings)),
    Layer.provide([authorization(settings), schemaErrors]),
    Layer.merge(otherRoutes(settings)),
    Layer.provide(HttpRouter.middleware(guard).layer)
  )
  const document = HttpRouter.add(
    "GET",
    `${settings.path}/openapi.json`,
    Effect.sync(() => HttpServerResponse.jsonUnsafe(OpenApi.fromApi(api)))
  )
  return Layer.mergeAll(routes, document, HttpApiScalar.layer(api, { path: `${settings.path}/docs` })).pipe(
    Layer.provide(HttpServer.layerServices)
  )
}
