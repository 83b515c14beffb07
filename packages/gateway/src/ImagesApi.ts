/**
 * The definition of the API: its endpoint, payload and errors. The gateway's routes, its OpenAPI document and its
 * reference page are made from it, and so are clients. It imports only core and effect, so it can be used in a page.
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
// What every request passes through
// ---------------------------------------------------------------------------------------------------------------------

/**
 * Someone who may call.
 *
 * @category models
 */
export interface Caller {
  /** Limits are counted for this id, and the log names it. It must not be a secret. */
  readonly id: string
}

/**
 * The caller of the current request.
 *
 * @category services
 */
export class CurrentCaller extends Context.Service<CurrentCaller, Caller>()(
  "@effect-gradient/gateway/ImagesApi/CurrentCaller"
) {}

/**
 * Finds the caller from the request's headers.
 *
 * @category middleware
 */
export class Authorization extends HttpApiMiddleware.Service<Authorization, { provides: CurrentCaller }>()(
  "@effect-gradient/gateway/ImagesApi/Authorization",
  { error: ApiError.errors, security: { bearer: HttpApiSecurity.bearer } }
) {}

/**
 * Turns a request that does not match the schemas into an error of the API.
 *
 * @category middleware
 */
export class SchemaErrors extends HttpApiMiddleware.Service<SchemaErrors>()(
  "@effect-gradient/gateway/ImagesApi/SchemaErrors",
  { error: ApiError.errors }
) {}

// ---------------------------------------------------------------------------------------------------------------------
// The endpoint
// ---------------------------------------------------------------------------------------------------------------------

/**
 * What a request asks for: the params of core, and `stream`.
 *
 * @category models
 */
export interface Payload extends ImageGenerateParams.ImageGenerateParamsStreaming {
  /** Whether to reply with server-sent events: partial images, then the whole one. */
  readonly stream?: boolean | null | undefined
}

type WireParams = typeof ImageGenerateParams.Json.Encoded

/**
 * A payload under the names of the wire.
 *
 * @category models
 */
export interface EncodedPayload extends WireParams {
  readonly stream?: boolean | null | undefined
}

/**
 * The body of a request.
 *
 * @category schemas
 */
export const Payload: Schema.Codec<Payload, EncodedPayload> = Schema.Struct({
  ...ImageGenerateParams.ImageGenerateParamsStreaming.fields,
  stream: Schema.optional(Schema.NullOr(Schema.Boolean))
}).pipe(Schema.encodeKeys(ImageGenerateParams.wireNames))

/** With the hyphens of a UUID or without. */
const attemptId = /^[\da-f]{8}(-?[\da-f]{4}){3}-?[\da-f]{12}$/i

/**
 * `POST /images/generations`.
 *
 * @category api
 */
export class Generate extends HttpApiEndpoint.post("generate", "/images/generations", {
  headers: {
    /** 128 random bits in hexadecimal, new for each attempt: a second request with the same id is refused, not sent. */
    "x-attempt-id": Schema.optionalKey(
      Schema.String.check(
        Schema.isPattern(attemptId, { message: "must be 32 hexadecimal digits, with or without hyphens" })
      )
    )
  },
  payload: Payload,
  success: [
    ImageGenerateResponse.Json.annotate({ description: "The images." }),
    HttpApiSchema.StreamUint8Array({ contentType: "text/event-stream" })
  ],
  error: ApiError.errors
})
  .annotateMerge(
    OpenApi.annotations({
      summary: "Generate images",
      description:
        "Replies with JSON, or, with `stream: true`, with server-sent events: `image_generation.partial_image` while the " +
        "image is made, then `image_generation.completed`, or an event `error` whose data has the form of an error's body. " +
        "Comments keep a silent stream open."
    })
  )
  .annotate(HttpApi.PayloadParseOptions, { onExcessProperty: "error", errors: "all", reportInput: true }) {}

/**
 * The group of the API's one endpoint.
 *
 * @category api
 */
export class Images extends HttpApiGroup.make("images")
  .add(Generate)
  .middleware(SchemaErrors)
  .middleware(Authorization) {}

/**
 * The API. `ImagesApi.prefix("/v1")` gives it another path.
 *
 * @category api
 */
export class ImagesApi extends HttpApi.make("ImagesGateway")
  .add(Images)
  .annotateMerge(OpenApi.annotations({ title: "Images", description: "Image generation, on the wire of OpenAI." })) {}
