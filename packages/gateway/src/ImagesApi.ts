/**
 * The definition of the API: its endpoints, payload and errors. The gateway's endpoints, its OpenAPI document, its
 * reference page, and clients of `HttpApiClient` and `AtomHttpApi` are made from this definition. `BrowserImages` does
 * not use it. The module depends only on core and effect, so a page can use it.
 *
 * @example
 * ```ts
 * import { ImagesApi } from "@effect-gradient/gateway"
 * import { Effect } from "effect"
 * import { HttpClient, HttpClientRequest } from "effect/http"
 * import { HttpApiClient } from "effect/http-api"
 *
 * const program = Effect.gen(function* () {
 *   const client = yield* HttpApiClient.make(ImagesApi.ImagesApi, {
 *     baseUrl: "https://app.example.com/v1",
 *     transformClient: HttpClient.mapRequest(HttpClientRequest.bearerToken("a key of the gateway"))
 *   })
 *   return yield* client.images.generate({ headers: {}, payload: { prompt: "A cute baby sea otter" } })
 * })
 * ```
 */
import { ImageGenerateParams, ImageGenerateResponse } from "@effect-gradient/core"
import * as Context from "effect/Context"
import * as HttpApi from "effect/http-api/HttpApi"
import * as HttpApiEndpoint from "effect/http-api/HttpApiEndpoint"
import * as HttpApiGroup from "effect/http-api/HttpApiGroup"
import * as HttpApiMiddleware from "effect/http-api/HttpApiMiddleware"
import * as HttpApiSchema from "effect/http-api/HttpApiSchema"
import * as HttpApiSecurity from "effect/http-api/HttpApiSecurity"
import * as OpenApi from "effect/http-api/OpenApi"
import * as Schema from "effect/Schema"
import * as ApiError from "./ApiError.ts"

// ---------------------------------------------------------------------------------------------------------------------
// Middleware
// ---------------------------------------------------------------------------------------------------------------------

/**
 * A known caller.
 *
 * @category models
 * @since 0.1.0
 */
export interface Caller {
  /**
   * Identifies the caller. The images of each id are counted and limited, and the id is written to the log, so it must
   * not be a secret.
   */
  readonly id: string
}

/**
 * The caller of the current request.
 *
 * @category services
 * @since 0.1.0
 */
export class CurrentCaller extends Context.Service<CurrentCaller, Caller>()(
  "@effect-gradient/gateway/ImagesApi/CurrentCaller"
) {}

/**
 * Identifies the caller by the headers of the request.
 *
 * @category middleware
 * @since 0.1.0
 */
export class Authorization extends HttpApiMiddleware.Service<Authorization, { provides: CurrentCaller }>()(
  "@effect-gradient/gateway/ImagesApi/Authorization",
  { error: ApiError.errors, security: { bearer: HttpApiSecurity.bearer } }
) {}

/**
 * Turns a request that does not match the schemas into an error of the API.
 *
 * @category middleware
 * @since 0.1.0
 */
export class SchemaErrors extends HttpApiMiddleware.Service<SchemaErrors>()(
  "@effect-gradient/gateway/ImagesApi/SchemaErrors",
  { error: ApiError.errors }
) {}

// ---------------------------------------------------------------------------------------------------------------------
// The endpoint
// ---------------------------------------------------------------------------------------------------------------------

/**
 * The body of a request: core's params, and `stream`.
 *
 * @category models
 * @since 0.1.0
 */
export interface Payload extends ImageGenerateParams.ImageGenerateParamsStreaming {
  /** Whether to request server-sent events instead of JSON. */
  readonly stream?: boolean | null | undefined
}

type WireParams = typeof ImageGenerateParams.Json.Encoded

/**
 * A payload with its wire names.
 *
 * @category models
 * @since 0.1.0
 */
export interface EncodedPayload extends WireParams {
  readonly stream?: boolean | null | undefined
}

/**
 * The schema of a request's body.
 *
 * @category schemas
 * @since 0.1.0
 */
export const Payload: Schema.Codec<Payload, EncodedPayload> = Schema.Struct({
  ...ImageGenerateParams.ImageGenerateParamsStreaming.fields,
  stream: Schema.optional(Schema.NullOr(Schema.Boolean))
}).pipe(Schema.encodeKeys(ImageGenerateParams.wireNames))

/** The 32 hexadecimal digits of a UUID, with or without its hyphens. */
const Id = Schema.String.check(
  Schema.isPattern(/^[\da-f]{8}(-?[\da-f]{4}){3}-?[\da-f]{12}$/i, {
    message: "must be 32 hexadecimal digits, with or without hyphens"
  })
)

const replies = [
  ImageGenerateResponse.Json.annotate({ description: "The images." }),
  HttpApiSchema.StreamUint8Array({ contentType: "text/event-stream" })
] as const

/**
 * `POST /images/generations`.
 *
 * @category api
 * @since 0.1.0
 */
export class Generate extends HttpApiEndpoint.post("generate", "/images/generations", {
  headers: {
    /**
     * A random id of 32 hexadecimal digits, with or without the hyphens of a UUID. The client makes a new one for each
     * attempt. By this id, the gateway recognises a second request for the same attempt: see `Attempts.layerOnce` and
     * `Attempts.layerDurable`.
     */
    "x-attempt-id": Schema.optionalKey(Id)
  },
  payload: Payload,
  success: replies,
  error: ApiError.errors
})
  .annotateMerge(
    OpenApi.annotations({
      summary: "Generate images",
      description:
        "Replies with JSON. With `stream: true`, it replies with server-sent events instead, unless the service replied with JSON. " +
        "The events are `image_generation.partial_image` for each partial image, and `image_generation.completed` for each final one. " +
        "If the request fails after the response headers were sent, the last event is `error`, and its data is the body of an error; if an event may be incomplete by then, the connection is closed instead. " +
        "Comments keep the connection open while nothing else is sent."
    })
  )
  .annotate(HttpApi.PayloadParseOptions, { onExcessProperty: "error", errors: "all", reportInput: true }) {}

/**
 * `GET /images/generations/:id`.
 *
 * @category api
 * @since 0.1.0
 */
export class Join extends HttpApiEndpoint.get("join", "/images/generations/:id", {
  params: {
    /** The `x-attempt-id` of the request, or the `x-request-id` of its response if the request had none. */
    id: Id
  },
  headers: {
    /** With `text/event-stream`, the reply consists of server-sent events. Otherwise it is JSON. */
    accept: Schema.optionalKey(Schema.String)
  },
  success: replies,
  error: ApiError.errors
}).annotateMerge(
  OpenApi.annotations({
    summary: "Join a request",
    description:
      "Waits for the reply to an earlier request, for example after the connection broke. It never sends a request to the service. " +
      "With `accept: text/event-stream`, it replies with server-sent events. It begins with the complete images and the newest partial image, as far as this process has them. " +
      "Otherwise it replies with JSON. " +
      "404 with the code `not_found`: no request of this caller with this id is known, or sending it again is allowed, for example because it failed without being charged for. " +
      "409 with the code `in_doubt`: the outcome of the request is unknown. " +
      "404 with the code `not_kept`: this gateway does not keep replies."
  })
) {}

/**
 * The group of the endpoints.
 *
 * @category api
 * @since 0.1.0
 */
export class Images extends HttpApiGroup.make("images")
  .add(Generate)
  .add(Join)
  .middleware(SchemaErrors)
  .middleware(Authorization) {}

/**
 * The API. `ImagesApi.prefix("/v1")` puts its endpoints under the path `/v1`.
 *
 * @category api
 * @since 0.1.0
 */
export class ImagesApi extends HttpApi.make("ImagesGateway")
  .add(Images)
  .annotateMerge(OpenApi.annotations({ title: "Images", description: "Image generation in OpenAI's wire format." })) {}
