import { NodeHttpServer } from "@effect/platform-node"
import { GradientClient } from "@effect-gradient/core"
import { ImagesGateway, NodeImages } from "@effect-gradient/node"
import { Layer, Redacted } from "effect"
import { HttpRouter } from "effect/http"
import { RateLimiter } from "effect/persistence"
import { createServer } from "node:http"

/** To be launched with `Layer.launch` and `NodeRuntime.runMain`. */
export const gateway = (port: number, passwords: ReadonlyArray<string>) =>
  HttpRouter.serve(ImagesGateway.layer()).pipe(
    Layer.provide([
      ImagesGateway.callersFromKeys(passwords.map((password) => Redacted.make(password))),
      ImagesGateway.layerLimits({ images: 20, window: "1 hour" }),
      ImagesGateway.cors({ origins: ["https://app.example.com"] }),
      RateLimiter.layer.pipe(Layer.provide(RateLimiter.layerStoreMemory)),
      GradientClient.layerFromConfig().pipe(Layer.provide(NodeImages.layerHttpClient())),
      NodeHttpServer.layer(createServer, { host: "127.0.0.1", port })
    ])
  )
