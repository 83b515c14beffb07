/**
 * The gateway under load, in its own process: `node gatewayServer.ts <upstream url> <limit of images>`. It sends its URL to
 * the parent, and replies to each message with its peak resident memory in bytes.
 */
import { NodeHttpServer, NodeRuntime } from "@effect/platform-node"
import { GradientClient } from "@effect-gradient/core"
import { Attempts, Callers, ImagesGateway } from "@effect-gradient/gateway"
import { NodeImages } from "@effect-gradient/node"
import { Effect, Layer, Redacted } from "effect"
import { HttpRouter, HttpServer } from "effect/http"
import { RateLimiter } from "effect/persistence"
import { createServer } from "node:http"

const [, , upstream = "", images] = process.argv

const gateway = ImagesGateway.layer({
  rules: { models: ["bench"] },
  limits: { images: Number(images), window: "1 hour", bodySize: "10 kB" },
  origins: ["https://app.example"]
}).pipe(
  Layer.provide([
    Callers.layerKeys([Redacted.make("caller")]),
    Attempts.layerOnce,
    RateLimiter.layer.pipe(Layer.provide(RateLimiter.layerStoreMemory))
  ]),
  Layer.provide(GradientClient.layer({ modelAccessKey: Redacted.make("real"), baseUrl: upstream })),
  Layer.provide(NodeImages.layerHttpClient())
)

const ready = Layer.effectDiscard(
  HttpServer.addressFormattedWith((address) => Effect.sync(() => process.send?.(`${address}/v1/images/generations`)))
)

process.on("message", () => process.send?.(process.resourceUsage().maxRSS * 1024))
process.on("disconnect", () => process.exit())

ready.pipe(
  Layer.provide(HttpRouter.serve(gateway, { disableLogger: true, disableListenLog: true })),
  Layer.provide(NodeHttpServer.layer(createServer, { host: "127.0.0.1", port: 0 })),
  Layer.launch,
  NodeRuntime.runMain
)
