/**
 * The edge of the gateway: which origins may call, how large a body may be, the request's id; and that no failure is
 * told in another form than the API's.
 */
import type * as ByteSize from "effect/ByteSize"
import * as Effect from "effect/Effect"
import * as HttpEffect from "effect/http/HttpEffect"
import * as HttpIncomingMessage from "effect/http/HttpIncomingMessage"
import * as HttpMiddleware from "effect/http/HttpMiddleware"
import * as HttpServerError from "effect/http/HttpServerError"
import * as HttpServerRequest from "effect/http/HttpServerRequest"
import * as HttpServerResponse from "effect/http/HttpServerResponse"
import { randomUUID } from "node:crypto"
import { Edge } from "./api.ts"
import * as ApiError from "./ApiError.ts"

/** CORS for these origins. */
export const crossOrigin = (origins: ReadonlyArray<string>) =>
  HttpMiddleware.cors({
    allowedOrigins: (origin) => origins.includes(origin),
    allowedMethods: ["POST"],
    // None named: each that the page asks for. `x-attempt-id` is ours, and `openai` has a dozen.
    allowedHeaders: [],
    exposedHeaders: [
      "ratelimit-limit",
      "ratelimit-remaining",
      "ratelimit-reset",
      "retry-after",
      "x-request-id",
      "x-should-retry"
    ],
    maxAge: 600
  })

const isTooLarge = (defect: unknown) =>
  defect instanceof HttpServerError.HttpServerError &&
  defect.reason._tag === "RequestParseError" &&
  defect.reason.reason === "BodyTooLarge"

/** Whether a page of another origin calls, and of none of these. What is no page sends no origin. */
const isForeign = ({ headers }: HttpServerRequest.HttpServerRequest, origins: ReadonlyArray<string>) =>
  headers["origin"] !== undefined && headers["sec-fetch-site"] !== "same-origin" && !origins.includes(headers["origin"])

/** What every request meets first, with the origins whose pages may call and the largest body. */
export const makeEdge = (origins: ReadonlyArray<string>, bodySize: ByteSize.ByteSize) => {
  const tooLarge = ApiError.make(413, `The body is larger than ${bodySize} bytes.`)
  const withCors = crossOrigin(origins)
  return Edge.of(
    Effect.fnUntraced(function* (app) {
      const requestId = randomUUID()
      yield* HttpEffect.appendPreResponseHandler((_, response) =>
        Effect.succeed(HttpServerResponse.setHeader(response, "x-request-id", requestId))
      )
      if (isForeign(yield* HttpServerRequest.HttpServerRequest, origins)) {
        return yield* Effect.fail(ApiError.make(403, "This origin may not call.", { code: "origin_not_allowed" }))
      }
      const response = yield* withCors(app).pipe(
        Effect.provideService(HttpIncomingMessage.MaxBodySize, bodySize),
        Effect.catchDefect((defect) =>
          isTooLarge(defect)
            ? Effect.fail(tooLarge)
            : Effect.logError("ImagesGateway: a defect", defect).pipe(
                Effect.andThen(Effect.fail(ApiError.make(500, "The gateway failed.")))
              )
        ),
        Effect.annotateLogs({ requestId })
      )
      // HttpApi refuses another content type by itself, and not in the API's form.
      if (response.status !== 415) return response
      return yield* Effect.fail(ApiError.make(415, "The body must be JSON: content-type: application/json."))
    })
  )
}
