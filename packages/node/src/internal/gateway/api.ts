/**
 * The definition of the API: its one endpoint, and the middleware that every request goes through.
 */
import { ImageGenerateResponse } from "@effect-gradient/core"
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
import * as Order from "./order.ts"

/**
 * Someone who may call.
 *
 * @category models
 */
export interface Caller {
  /** What limits are counted by, and what stands in the log. Not a secret. */
  readonly id: string
}

export class CurrentCaller extends Context.Service<CurrentCaller, Caller>()(
  "@effect-gradient/node/ImagesGateway/CurrentCaller"
) {}

/** Who calls, told from the request's headers. */
export class Authorization extends HttpApiMiddleware.Service<Authorization, { provides: CurrentCaller }>()(
  "@effect-gradient/node/ImagesGateway/Authorization",
  { error: ApiError.errors, security: { bearer: HttpApiSecurity.bearer } }
) {}

/** What a request that does not fit the schemas is told. */
export class Refusals extends HttpApiMiddleware.Service<Refusals>()("@effect-gradient/node/ImagesGateway/Refusals", {
  error: ApiError.errors
}) {}

/** What holds for every request: its origin, the size of its body, its id; and that no failure is told in another form. */
export class Edge extends HttpApiMiddleware.Service<Edge>()("@effect-gradient/node/ImagesGateway/Edge", {
  error: ApiError.errors
}) {}

/** With the hyphens of a UUID or without. */
const attemptId = /^[\da-f]{8}(-?[\da-f]{4}){3}-?[\da-f]{12}$/i

const generate = HttpApiEndpoint.post("generate", "/images/generations", {
  headers: {
    /** 128 random bits for each attempt, in hexadecimal: a second request with them is refused, not carried out again. */
    "x-attempt-id": Schema.optionalKey(Schema.String.check(Schema.isPattern(attemptId)))
  },
  payload: Order.Payload,
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
        "Answers with JSON, or, with `stream: true`, with server-sent events: `image_generation.partial_image` while the " +
        "image is made, then `image_generation.completed`, or an event `error` with an object of the errors' form. " +
        "A comment keeps a silent stream open."
    })
  )
  .annotate(HttpApi.PayloadParseOptions, { onExcessProperty: "error", errors: "all", reportInput: true })

/**
 * The definition, which the routes, the OpenAPI document and the reference page come from.
 *
 * @category api
 */
export const Api = HttpApi.make("ImagesGateway")
  .add(HttpApiGroup.make("images").add(generate))
  .middleware(Refusals)
  .middleware(Authorization)
  .middleware(Edge)
  .annotateMerge(OpenApi.annotations({ title: "Images", description: "Image generation, on the wire of OpenAI." }))
