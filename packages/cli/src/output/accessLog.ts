/**
 * The access log of a server. It has one line per request, on standard error, written after the response was sent or
 * the request was interrupted.
 */
import * as Cause from "effect/Cause"
import * as Clock from "effect/Clock"
import * as Console from "effect/Console"
import * as DateTime from "effect/DateTime"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import { HttpServerError, HttpServerRequest, type HttpServerResponse } from "effect/http"

/**
 * Returns the path of a URL on one line, at most 200 characters of it. The query is left out, because it may contain a
 * secret.
 */
const pathOf = (url: string) => JSON.stringify(url.split("?")[0]?.slice(0, 200)).slice(1, -1)

/**
 * Returns the status of the response, or `left` if the request was interrupted. A failure has a status too: Effect
 * makes a response from it, such as 404 for a path without a route.
 */
const statusOf = (exit: Exit.Exit<HttpServerResponse.HttpServerResponse, unknown>): Effect.Effect<string> => {
  if (Exit.isSuccess(exit)) return Effect.succeed(String(exit.value.status))
  if (Cause.hasInterruptsOnly(exit.cause)) return Effect.succeed("left")
  return Effect.map(HttpServerError.causeResponse(exit.cause), ([{ status }]) => String(status))
}

/** Makes the line of a request: `2026-11-25T12:00:00.000Z POST /v1/images/generations 200 1834 ms` */
const lineOf = (request: HttpServerRequest.HttpServerRequest, status: string, start: number, end: number): string =>
  `${DateTime.formatIso(DateTime.makeUnsafe(end))} ${request.method} ${pathOf(request.url)} ${status} ${end - start} ms`

/** Logs each request that `app` handles. `app` must include the sending of the response. */
export const logRequests = <E, R>(app: Effect.Effect<HttpServerResponse.HttpServerResponse, E, R>) =>
  Effect.gen(function* () {
    const request = yield* HttpServerRequest.HttpServerRequest
    const start = yield* Clock.currentTimeMillis
    return yield* Effect.onExit(
      app,
      Effect.fnUntraced(function* (exit) {
        const status = yield* statusOf(exit)
        yield* Console.error(lineOf(request, status, start, yield* Clock.currentTimeMillis))
      })
    )
  })
