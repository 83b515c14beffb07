/**
 * The routes that show the health of the gateway. `/healthz` always answers 200. `/readyz` is for load balancers: it
 * answers 503 if the gateway is not ready to get requests, else 200.
 */
import * as Effect from "effect/Effect"
import { HttpRouter, HttpServerResponse } from "effect/http"

/** Why the gateway is not ready; `undefined` if it is ready. */
export type Problem = Effect.Effect<string | undefined>

const readiness = (problems: ReadonlyArray<Problem>) =>
  Effect.map(Effect.all(problems), (found) => {
    const problem = found.find((text) => text !== undefined)
    return HttpServerResponse.text(problem ?? "ok", { status: problem === undefined ? 200 : 503 })
  })

export const layer = (...problems: ReadonlyArray<Problem>) =>
  HttpRouter.use(
    Effect.fnUntraced(function* (router) {
      yield* router.add("GET", "/healthz", HttpServerResponse.text("ok"))
      yield* router.add("GET", "/readyz", readiness(problems))
    })
  )
