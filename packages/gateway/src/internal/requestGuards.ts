/**
 * Guards the routes of the images endpoint. Before a route runs, the origin of the request and the encoding of its body
 * are checked. The size of the body is limited, the request id is added to the response and the log, and a defect of
 * the route becomes an error of the API.
 */
import type * as ByteSize from "effect/ByteSize"
import * as Context from "effect/Context"
import * as SecureRandom from "effect/crypto/SecureRandom"
import * as Effect from "effect/Effect"
import * as HttpEffect from "effect/http/HttpEffect"
import * as HttpIncomingMessage from "effect/http/HttpIncomingMessage"
import * as HttpMiddleware from "effect/http/HttpMiddleware"
import * as HttpServerError from "effect/http/HttpServerError"
import * as HttpServerRequest from "effect/http/HttpServerRequest"
import * as HttpServerResponse from "effect/http/HttpServerResponse"
import * as ApiError from "../ApiError.ts"
import { rateLimitHeaders } from "./callerLimit.ts"

export interface GuardOptions {
  /** The origins, besides the gateway's own, whose pages may call the gateway. */
  readonly origins: ReadonlyArray<string>
  /** Whether pages of `origins` may send cookies. */
  readonly credentials: boolean
  readonly bodySize: ByteSize.ByteSize
}

type Request = HttpServerRequest.HttpServerRequest

/**
 * The id of the current request. It is a UUID, which is also in the response's header `x-request-id` and in the log.
 */
export const RequestId = Context.Reference<string>("@effect-gradient/gateway/RequestId", {
  defaultValue: SecureRandom.uuidV4Unsafe
})

/** The response headers that a page of another origin can read only because they are listed here. */
const exposedHeaders = [...Object.values(rateLimitHeaders), "retry-after", "x-request-id", "x-should-retry"]

const cors = ({ credentials, origins }: GuardOptions) =>
  HttpMiddleware.cors({
    allowedOrigins: (origin) => origins.includes(origin),
    allowedMethods: ["POST", "GET"],
    // An empty list allows any header. It is needed because `openai` sends a dozen headers of its own.
    allowedHeaders: [],
    exposedHeaders,
    credentials,
    maxAge: 600
  })

/**
 * Whether the request comes from a page of an origin that is not allowed. Programs other than browsers usually send no
 * `origin` header. Browsers send `sec-fetch-site` only over HTTPS and to localhost. The `host` header does not replace
 * it: with DNS rebinding, a foreign page has the same `origin` and `host`.
 */
const isForeign = ({ headers }: Request, origins: ReadonlyArray<string>) =>
  headers["origin"] !== undefined && headers["sec-fetch-site"] !== "same-origin" && !origins.includes(headers["origin"])

const foreignOrigin = ApiError.make(
  403,
  "Pages of this origin are not allowed to call this API. The gateway's option `origins` must list the origin. " +
    "Over plain HTTP, except to localhost, this also applies to the gateway's own origin.",
  { code: "origin_not_allowed" }
)

/** The content encoding of the body. `undefined` if the request has none, or `identity`. */
const encodingOf = ({ headers }: Request): string | undefined => {
  const encoding = headers["content-encoding"]?.trim().toLowerCase() ?? "identity"
  return encoding === "" || encoding === "identity" ? undefined : encoding.slice(0, 40)
}

const compressed = (encoding: string) =>
  ApiError.make(415, `The header content-encoding is "${encoding}". Send the body uncompressed, without this header.`, {
    headers: { "accept-encoding": "identity" }
  })

const notJson = ApiError.make(415, "The body must be JSON, with content-type: application/json.")

const failed = ApiError.make(500, "The gateway failed. The image may have been charged for.", {
  headers: { "x-should-retry": "false" }
})

const parseFailure = (defect: unknown) =>
  defect instanceof HttpServerError.HttpServerError && defect.reason._tag === "RequestParseError"
    ? defect.reason
    : undefined

/**
 * Makes the function that wraps a route of the images endpoint. If the route dies with a defect, the caller gets an
 * error response.
 */
export const makeRequestGuards = (options: GuardOptions) => {
  const withCors = cors(options)
  const tooLarge = ApiError.make(413, `The body is larger than ${options.bodySize} bytes.`)

  const onDefect = (defect: unknown): Effect.Effect<HttpServerResponse.HttpServerResponse> => {
    const failure = parseFailure(defect)
    if (failure?.reason === "BodyTooLarge") return Effect.succeed(ApiError.toResponse(tooLarge))
    return Effect.as(Effect.logError("ImagesGateway: a defect", defect), ApiError.toResponse(failed))
  }

  const refusalOf = (request: Request): ApiError.ApiError | undefined => {
    if (isForeign(request, options.origins)) return foreignOrigin
    const encoding = encodingOf(request)
    return encoding === undefined ? undefined : compressed(encoding)
  }

  return <E, R>(route: Effect.Effect<HttpServerResponse.HttpServerResponse, E, R>) =>
    Effect.gen(function* () {
      const request = yield* HttpServerRequest.HttpServerRequest
      const requestId = SecureRandom.uuidV4Unsafe()
      yield* HttpEffect.appendPreResponseHandler((_, response) =>
        Effect.succeed(HttpServerResponse.setHeader(response, "x-request-id", requestId))
      )
      const refusal = refusalOf(request)
      const app = refusal === undefined ? route : Effect.succeed(ApiError.toResponse(refusal))
      const response = yield* withCors(app).pipe(
        Effect.provideService(HttpIncomingMessage.MaxBodySize, options.bodySize),
        Effect.provideService(RequestId, requestId),
        Effect.catchDefect(onDefect),
        Effect.annotateLogs({ requestId })
      )
      // HttpApi replies in plain text if the content type is not JSON. That reply is replaced by an error of the API.
      return response.status === 415 && refusal === undefined ? ApiError.toResponse(notJson) : response
    })
}
