/**
 * `/healthz` answers while the process runs. `/readyz` is for whoever sends requests to the gateway: 503 if it should get
 * none now.
 */
import * as Effect from "effect/Effect"
import { HttpRouter, HttpServerResponse } from "effect/http"

/** Why the gateway is not ready, if it is not. */
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
