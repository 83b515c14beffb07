import { NodeHttpServer } from "@effect/platform-node"
import { GradientClient } from "@effect-gradient/core"
import { Attempts, Callers, ImagesGateway } from "@effect-gradient/gateway"
import { NodeImages } from "@effect-gradient/node"
import { Layer, Redacted } from "effect"
import { HttpRouter } from "effect/http"
import { RateLimiter } from "effect/persistence"
import { createServer } from "node:http"

const options: ImagesGateway.Options = {
  origins: ["https://app.example.com"],
  limits: { images: 20, window: "1 hour" }
}

/** Serves the gateway on this port of 127.0.0.1. Start it with `Layer.launch` and `NodeRuntime.runMain`. */
export const gateway = (port: number, passwords: ReadonlyArray<string>) =>
  HttpRouter.serve(ImagesGateway.layer(options)).pipe(
    Layer.provide([
      Callers.layerKeys(passwords.map((password) => Redacted.make(password))),
      Attempts.layerOnce,
      RateLimiter.layer.pipe(Layer.provide(RateLimiter.layerStoreMemory)),
      NodeHttpServer.layer(createServer, { host: "127.0.0.1", port })
    ]),
    Layer.provide(GradientClient.layerFromConfig()),
    Layer.provide(NodeImages.layerHttpClient())
  )
