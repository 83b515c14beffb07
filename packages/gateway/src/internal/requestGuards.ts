/**
 * The checks that run first for each request to the images endpoint: its origin, and the size and encoding of its body.
 * They also add the request id to the response and the log, and turn every failure into an error of the API.
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
  /** The origins whose pages are allowed to call. */
  readonly origins: ReadonlyArray<string>
  /** Whether these pages may send cookies. */
  readonly credentials: boolean
  readonly bodySize: ByteSize.ByteSize
}

type Request = HttpServerRequest.HttpServerRequest

/** The id of the current request: a UUID, in the response's header `x-request-id` and in the log. */
export const RequestId = Context.Reference<string>("@effect-gradient/gateway/RequestId", {
  defaultValue: SecureRandom.uuidV4Unsafe
})

/** The response headers that a page of another origin can read. */
const exposedHeaders = [...Object.values(rateLimitHeaders), "retry-after", "x-request-id", "x-should-retry"]

const cors = ({ credentials, origins }: GuardOptions) =>
  HttpMiddleware.cors({
    allowedOrigins: (origin) => origins.includes(origin),
    allowedMethods: ["POST", "GET"],
    // An empty list allows any header. `openai` sends a dozen of its own.
    allowedHeaders: [],
    exposedHeaders,
    credentials,
    maxAge: 600
  })

/**
 * Whether the request comes from a page of an origin that is not allowed. Programs other than browsers send no origin.
 */
const isForeign = ({ headers }: Request, origins: ReadonlyArray<string>) =>
  headers["origin"] !== undefined && headers["sec-fetch-site"] !== "same-origin" && !origins.includes(headers["origin"])

const foreignOrigin = ApiError.make(403, "Pages of this origin are not allowed to call.", {
  code: "origin_not_allowed"
})

/** The encoding of the body; `undefined` if it is not compressed. */
const encodingOf = ({ headers }: Request): string | undefined => {
  const encoding = headers["content-encoding"]?.trim().toLowerCase() ?? "identity"
  return encoding === "" || encoding === "identity" ? undefined : encoding.slice(0, 40)
}

const compressed = (encoding: string) =>
  ApiError.make(415, `The body is compressed with "${encoding}". Send it uncompressed, without content-encoding.`, {
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

/** Wraps a route of the images endpoint. A defect of the route becomes an error response. */
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
      // HttpApi replies to another content type with plain text, which is replaced here.
      return response.status === 415 && refusal === undefined ? ApiError.toResponse(notJson) : response
    })
}
