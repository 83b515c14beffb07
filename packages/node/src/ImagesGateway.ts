/**
 * The images endpoint on your own server, so that browsers and other clients need no key: the same wire under your
 * path, for this library, `openai` or curl. The real key stays behind it, in `GradientClient`.
 *
 * `layer` adds the routes. Who may call has no default and must be provided: `Callers`. So must Effect's `RateLimiter`,
 * in memory or shared through Redis. The rest has safe defaults, each changed by a layer: `layerRules` (what may be
 * asked), `layerLimits` (how much), `cors` (from which pages).
 *
 * @example
 * ```ts
 * import { NodeHttpServer, NodeRuntime } from "@effect/platform-node"
 * import { GradientClient } from "@effect-gradient/core"
 * import { ImagesGateway, NodeImages } from "@effect-gradient/node"
 * import { Layer, Redacted } from "effect"
 * import { HttpRouter } from "effect/http"
 * import { RateLimiter } from "effect/persistence"
 * import { createServer } from "node:http"
 *
 * const gateway = ImagesGateway.layer().pipe(
 *   Layer.provide([
 *     ImagesGateway.callersFromKeys([Redacted.make("a long random string of your own")]),
 *     ImagesGateway.layerLimits({ images: 20, window: "1 hour" }),
 *     ImagesGateway.cors({ origins: ["https://app.example.com"] }),
 *     RateLimiter.layer.pipe(Layer.provide(RateLimiter.layerStoreMemory)),
 *     GradientClient.layerFromConfig().pipe(Layer.provide(NodeImages.layerHttpClient()))
 *   ])
 * )
 * HttpRouter.serve(gateway).pipe(
 *   Layer.provide(NodeHttpServer.layer(createServer, { port: 3000 })),
 *   Layer.launch,
 *   NodeRuntime.runMain
 * )
 * ```
 */
import { type GradientClient, ImageGenerateParams } from "@effect-gradient/core"
import * as ByteSize from "effect/ByteSize"
import * as Context from "effect/Context"
import * as Data from "effect/Data"
import type * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import type * as FileSystem from "effect/FileSystem"
import * as HttpApiBuilder from "effect/http-api/HttpApiBuilder"
import * as HttpApiMiddleware from "effect/http-api/HttpApiMiddleware"
import * as HttpApiScalar from "effect/http-api/HttpApiScalar"
import type * as Etag from "effect/http/Etag"
import type * as Headers from "effect/http/Headers"
import type * as HttpPlatform from "effect/http/HttpPlatform"
import * as HttpRouter from "effect/http/HttpRouter"
import * as HttpServerRequest from "effect/http/HttpServerRequest"
import * as HttpServerResponse from "effect/http/HttpServerResponse"
import * as Layer from "effect/Layer"
import type * as Path from "effect/Path"
import type * as RateLimiter from "effect/persistence/RateLimiter"
import * as Redacted from "effect/Redacted"
import { createHash, timingSafeEqual } from "node:crypto"
import * as ApiError from "./internal/gateway/ApiError.ts"
import { Authorization, Api, type Caller, CurrentCaller, Edge, Refusals } from "./internal/gateway/api.ts"
import { makeOnce } from "./internal/gateway/attempts.ts"
import * as Behind from "./internal/gateway/behind.ts"
import { crossOrigin, makeEdge } from "./internal/gateway/edge.ts"
import * as Order from "./internal/gateway/order.ts"
import { makeQuota } from "./internal/gateway/quota.ts"

export { Api, type Caller }

// ---------------------------------------------------------------------------------------------------------------------
// Who may call
// ---------------------------------------------------------------------------------------------------------------------

/**
 * No caller is known by these headers. The message is for them to read.
 *
 * @category errors
 */
export class Unauthorized extends Data.TaggedError("Unauthorized")<{ readonly message: string }> {}

/**
 * Who may call. There is no default that lets everyone in.
 *
 * @category services
 */
export class Callers extends Context.Service<
  Callers,
  {
    /** The caller that these headers of a request prove. */
    readonly identify: (headers: Headers.Headers) => Effect.Effect<Caller, Unauthorized>
  }
>()("@effect-gradient/node/ImagesGateway/Callers") {}

const digestOf = (key: string) => createHash("sha256").update(key).digest()

/**
 * Whoever sends one of these keys: `Authorization: Bearer <key>`. Each key is a caller of its own, known by the first
 * 12 hexadecimal digits of its SHA-256.
 *
 * @category layers
 */
export const callersFromKeys = (keys: ReadonlyArray<Redacted.Redacted>): Layer.Layer<Callers> =>
  Layer.sync(Callers, () => {
    const known = keys.map((key) => digestOf(Redacted.value(key)))
    return Callers.of({
      identify: (headers) => {
        const given = digestOf(/^bearer +(\S+)$/i.exec(headers["authorization"] ?? "")?.[1] ?? "")
        // Digests are compared, and in constant time, so that how long it takes tells nothing of a key.
        const digest = known.find((one) => timingSafeEqual(one, given))
        return digest === undefined
          ? Effect.fail(new Unauthorized({ message: "No key was given, or a wrong one: Authorization: Bearer <key>." }))
          : Effect.succeed({ id: digest.toString("hex").slice(0, 12) })
      }
    })
  })

// ---------------------------------------------------------------------------------------------------------------------
// What may be asked, how much, from where
// ---------------------------------------------------------------------------------------------------------------------

/**
 * What may be asked. A param that is no part of `ImageGenerateParams` is refused as well.
 *
 * @category models
 */
export interface Rules extends Order.Rules {
  /** Default: `openai-gpt-image-2`. */
  readonly models: ReadonlyArray<string>
  /** Where none is asked for, it counts as `auto`. Default: `auto`, `1024x1024`, `1536x1024`, `1024x1536`. */
  readonly sizes: ReadonlyArray<string>
  /** The most images of one request. Default: 1. */
  readonly n: number
  /** The most characters of a prompt. Default: 4,000. */
  readonly promptLength: number
}

const defaultRules: Rules = {
  models: [ImageGenerateParams.defaultModel],
  sizes: ["auto", "1024x1024", "1536x1024", "1024x1536"],
  n: 1,
  promptLength: 4000
}

const CurrentRules = Context.Reference<Rules>("@effect-gradient/node/ImagesGateway/Rules", {
  defaultValue: () => defaultRules
})

/**
 * Changes what may be asked.
 *
 * @category layers
 */
export const layerRules = (rules: Partial<Rules>): Layer.Layer<never> =>
  Layer.succeed(CurrentRules, { ...defaultRules, ...rules })

/**
 * How much may be asked.
 *
 * @category models
 */
export interface Limits {
  /** The most images of one caller in `window`. Default: 10. */
  readonly images: number
  /** Default: 1 minute. */
  readonly window: Duration.Input
  /** The largest body of a request. Default: 512 KiB, enough for any prompt that the API takes. */
  readonly bodySize: ByteSize.Input
}

const defaultLimits: Limits = { images: 10, window: "1 minute", bodySize: ByteSize.kibibytes(512) }

const CurrentLimits = Context.Reference<Limits>("@effect-gradient/node/ImagesGateway/Limits", {
  defaultValue: () => defaultLimits
})

/**
 * Changes how much may be asked. The count is in Effect's `RateLimiter`.
 *
 * @category layers
 */
export const layerLimits = (limits: Partial<Limits>): Layer.Layer<never> =>
  Layer.succeed(CurrentLimits, { ...defaultLimits, ...limits })

const Origins = Context.Reference<ReadonlyArray<string>>("@effect-gradient/node/ImagesGateway/Origins", {
  defaultValue: () => []
})

/**
 * Lets pages of these origins call: `["https://app.example.com"]`. Without it only pages of the gateway's own origin may;
 * what is no page, such as curl or a server, sends no origin and is not concerned.
 *
 * @category layers
 */
export const cors = ({ origins }: { readonly origins: ReadonlyArray<string> }): Layer.Layer<never> =>
  Layer.succeed(Origins, origins)

// ---------------------------------------------------------------------------------------------------------------------
// What each request goes through
// ---------------------------------------------------------------------------------------------------------------------

const authorization = Layer.effect(
  Authorization,
  Effect.map(Callers, ({ identify }) =>
    Authorization.of({
      bearer: Effect.fnUntraced(function* (app) {
        const { headers } = yield* HttpServerRequest.HttpServerRequest
        const caller = yield* Effect.mapError(identify(headers), ({ message }) =>
          ApiError.make(401, message, { code: "invalid_api_key", headers: { "www-authenticate": "Bearer" } })
        )
        return yield* app.pipe(Effect.provideService(CurrentCaller, caller), Effect.annotateLogs({ caller: caller.id }))
      })
    })
  )
)

const refusals = HttpApiMiddleware.layerSchemaErrorTransform(Refusals, (error) =>
  Effect.fail(ApiError.fromIssues(Order.issuesOf(error)))
)

const edge = Layer.effect(
  Edge,
  Effect.gen(function* () {
    const { bodySize } = yield* CurrentLimits
    return makeEdge(yield* Origins, ByteSize.fromInputUnsafe(bodySize))
  })
)

// ---------------------------------------------------------------------------------------------------------------------
// The gateway
// ---------------------------------------------------------------------------------------------------------------------

/**
 * Options of the gateway.
 *
 * @category models
 */
export interface Options {
  /** Where it stands: `<path>/images/generations`, `<path>/openapi.json`, `<path>/docs`. Default: `/v1`. */
  readonly path?: `/${string}` | undefined
  /**
   * How long a caller of a stream waits for headers, and how long a stream is silent before a comment is sent. Default: 15 seconds;
   * proxies often cut what is silent for 60.
   */
  readonly keepAlive?: Duration.Input | undefined
}

/**
 * The routes of the gateway, for an `HttpRouter`: the endpoint, its OpenAPI document and its reference page.
 *
 * Attempt ids are known to this process alone: where several serve, let one connection's requests reach the same one.
 *
 * @category layers
 */
export const layer = ({ keepAlive = "15 seconds", path = "/v1" }: Options = {}): Layer.Layer<
  never,
  never,
  | Callers
  | GradientClient.GradientClient
  | RateLimiter.RateLimiter
  | HttpRouter.HttpRouter
  | Etag.Generator
  | FileSystem.FileSystem
  | HttpPlatform.HttpPlatform
  | Path.Path
> => {
  const api = Api.prefix(path)
  const images = HttpApiBuilder.group(
    api,
    "images",
    Effect.fnUntraced(function* (handlers) {
      const rules = yield* CurrentRules
      const once = yield* makeOnce
      const quota = yield* makeQuota(yield* CurrentLimits)
      const send = yield* Behind.makeSend(keepAlive)
      return handlers.handle(
        "generate",
        Effect.fnUntraced(function* ({ headers: { "x-attempt-id": attemptId }, payload }) {
          const caller = yield* CurrentCaller
          const checks = Effect.gen(function* () {
            const order = yield* Effect.fromResult(Order.orderOf(payload, rules))
            return { order, headers: yield* quota(caller, order.n) }
          })
          const { headers, order } = yield* once(
            attemptId === undefined ? undefined : `${caller.id}/${attemptId}`,
            checks
          )
          return yield* send(order, headers)
        })
      )
    })
  )
  const preflight = HttpRouter.use(
    Effect.fnUntraced(function* (router) {
      const withCors = crossOrigin(yield* Origins)
      yield* router.add("OPTIONS", `${path}/images/generations`, withCors(Effect.succeed(HttpServerResponse.empty())))
    })
  )
  return Layer.mergeAll(
    HttpApiBuilder.layer(api, { openapiPath: `${path}/openapi.json` }).pipe(
      Layer.provide(images),
      Layer.provide([authorization, refusals, edge])
    ),
    HttpApiScalar.layer(api, { path: `${path}/docs` }),
    preflight
  )
}
