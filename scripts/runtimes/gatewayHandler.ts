/**
 * Makes the gateway's web handler. `upstream` is the URL of the gateway's upstream.
 */
import { BrowserImages } from "@effect-gradient/browser"
import { GradientClient } from "@effect-gradient/core"
import { Attempts, Callers, ImagesGateway } from "@effect-gradient/gateway"
import { Layer, Redacted } from "effect"
import { HttpRouter } from "effect/http"
import { RateLimiter } from "effect/persistence"
import { key } from "./gatewayCases.ts"

export const makeHandler = (upstream: string) =>
  HttpRouter.toWebHandler(
    ImagesGateway.layer({ keepAlive: "1 second", limits: { images: 1000 } }).pipe(
      Layer.provide([
        Callers.layerKeys([Redacted.make(key)]),
        Attempts.layerOnce,
        RateLimiter.layer.pipe(Layer.provide(RateLimiter.layerStoreMemory))
      ]),
      Layer.provide(GradientClient.layer({ baseUrl: `${upstream}/v1`, modelAccessKey: Redacted.make("any") })),
      Layer.provide(BrowserImages.layerHttpClient())
    ),
    { disableLogger: true }
  ).handler
