import { BrowserImages } from "@effect-gradient/browser"
import { GradientClient } from "@effect-gradient/core"
import { Attempts, Callers, ImagesGateway } from "@effect-gradient/gateway"
import { Layer, type Redacted } from "effect"
import { HttpRouter } from "effect/http"
import { RateLimiter } from "effect/persistence"

/**
 * Makes the gateway's handler for Bun, Deno and Cloudflare's runtime: `export default { fetch: webGateway(...).handler }`.
 * `keys` are the keys that it accepts from callers.
 */
export const webGateway = (client: GradientClient.Options, keys: ReadonlyArray<Redacted.Redacted>) =>
  HttpRouter.toWebHandler(
    ImagesGateway.layer().pipe(
      Layer.provide([
        Callers.layerKeys(keys),
        Attempts.layerOnce,
        RateLimiter.layer.pipe(Layer.provide(RateLimiter.layerStoreMemory))
      ]),
      Layer.provide(GradientClient.layer(client)),
      Layer.provide(BrowserImages.layerHttpClient())
    )
  )
