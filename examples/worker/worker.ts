import { BrowserImages } from "@effect-gradient/browser"
import { GradientClient } from "@effect-gradient/core"
import { Attempts, Callers, ImagesGateway } from "@effect-gradient/gateway"
import { Layer, Redacted } from "effect"
import { HttpRouter } from "effect/http"
import { RateLimiter } from "effect/persistence"

/** The secrets and variables of the worker. Set the secrets with `wrangler secret put`. */
interface Env {
  readonly GRADIENT_MODEL_ACCESS_KEY: string
  readonly GATEWAY_KEY: string
  /** The base URL of the service. Default: that of DigitalOcean's service. */
  readonly GRADIENT_BASE_URL?: string
}

const makeHandler = (env: Env) =>
  HttpRouter.toWebHandler(
    ImagesGateway.layer().pipe(
      Layer.provide([
        Callers.layerKeys([Redacted.make(env.GATEWAY_KEY)]),
        Attempts.layerOnce,
        RateLimiter.layer.pipe(Layer.provide(RateLimiter.layerStoreMemory))
      ]),
      Layer.provide(
        GradientClient.layer({
          modelAccessKey: Redacted.make(env.GRADIENT_MODEL_ACCESS_KEY),
          baseUrl: env.GRADIENT_BASE_URL
        })
      ),
      Layer.provide(BrowserImages.layerHttpClient())
    )
  ).handler

let handler: ReturnType<typeof makeHandler> | undefined

/**
 * Handles requests. The handler is made at the first request, because the secrets arrive with it. Each isolate of the worker
 * has its own request ids and limits.
 */
// oxlint-disable-next-line import/no-default-export -- Cloudflare's runtime requires it
export default { fetch: (request: Request, env: Env) => (handler ??= makeHandler(env))(request) }
