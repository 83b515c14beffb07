/**
 * The access log of a server: one line a request on standard error, when its response was sent.
 */
import * as Clock from "effect/Clock"
import * as Console from "effect/Console"
import * as DateTime from "effect/DateTime"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import { HttpServerRequest, type HttpServerResponse } from "effect/http"

/** Without the query, which can hold a secret, and on one line. */
const pathOf = (url: string) => JSON.stringify(url.split("?")[0]?.slice(0, 200)).slice(1, -1)

/** `2026-11-25T12:00:00.000Z POST /v1/images/generations 200 1834 ms` */
const lineOf = (
  request: HttpServerRequest.HttpServerRequest,
  exit: Exit.Exit<HttpServerResponse.HttpServerResponse, unknown>,
  start: number,
  end: number
): string => {
  const status = Exit.isSuccess(exit) ? String(exit.value.status) : "left"
  return `${DateTime.formatIso(DateTime.makeUnsafe(end))} ${request.method} ${pathOf(request.url)} ${status} ${end - start} ms`
}

/** Logs each request that it wraps. A caller who leaves before the response was sent is logged as `left`. */
export const logRequests = <E, R>(app: Effect.Effect<HttpServerResponse.HttpServerResponse, E, R>) =>
  Effect.gen(function* () {
    const request = yield* HttpServerRequest.HttpServerRequest
    const start = yield* Clock.currentTimeMillis
    return yield* Effect.onExit(app, (exit) =>
      Effect.flatMap(Clock.currentTimeMillis, (end) => Console.error(lineOf(request, exit, start, end)))
    )
  })
