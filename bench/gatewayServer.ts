/**
 * The gateway under test, in its own process: `node gatewayServer.ts <upstream url> <limit of images> [once|durable]`.
 * It sends its URL to the parent process. It replies to `"cpu"` with its CPU time in microseconds, to `"memory"` with
 * the bytes in use (with `--expose-gc`, after a garbage collection), and to any other message with its peak of resident
 * memory in bytes.
 */
import * as NodeCrypto from "@effect/platform-node/NodeCrypto"
import * as NodeHttpServer from "@effect/platform-node/NodeHttpServer"
import * as NodeRuntime from "@effect/platform-node/NodeRuntime"
import * as NodeServices from "@effect/platform-node/NodeServices"
import { GradientClient, Images } from "@effect-gradient/core"
import { DurableImages, GenerationJournal, ImageStore } from "@effect-gradient/durable"
import { SqliteClient } from "@effect-gradient/durable/node"
import { Attempts, Callers, ImagesGateway } from "@effect-gradient/gateway"
import { NodeImages } from "@effect-gradient/node"
import * as Effect from "effect/Effect"
import * as HttpRouter from "effect/http/HttpRouter"
import * as HttpServer from "effect/http/HttpServer"
import * as Layer from "effect/Layer"
import * as RateLimiter from "effect/persistence/RateLimiter"
import * as Redacted from "effect/Redacted"
import { mkdtempSync, rmSync } from "node:fs"
import { createServer } from "node:http"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { setFlagsFromString } from "node:v8"
import { sendCpuTime } from "./process.ts"

// `gradient-images gateway` sets these flags of V8 too, the second one from Node 24 on.
setFlagsFromString("--heap-growing-percent=300")
setFlagsFromString("--external-memory-accounted-in-global-limit")

const [, , upstream = "", images, kind = "once"] = process.argv

const folder = mkdtempSync(join(tmpdir(), "bench-gateway-"))

/** Makes the gateway durable: the journal is on SQLite, and the images are synced to a folder. */
const durable = Attempts.layerDurable.pipe(
  Layer.provide(DurableImages.layer()),
  Layer.provide([
    Images.layer,
    GenerationJournal.layerSql().pipe(Layer.provide(SqliteClient.layer({ filename: join(folder, "journal.db") }))),
    ImageStore.layerFolder(join(folder, "images")).pipe(Layer.provide(NodeServices.layer))
  ])
)

const gateway = ImagesGateway.layer({
  rules: { models: ["bench"] },
  limits: { images: Number(images), window: "1 hour", bodySize: "10 kB", bodyTimeout: "2 seconds" },
  origins: ["https://app.example"]
}).pipe(
  Layer.provide([
    Callers.layerKeys([Redacted.make("caller"), Redacted.make("hostile")]),
    kind === "durable" ? durable : Attempts.layerOnce,
    RateLimiter.layer.pipe(Layer.provide(RateLimiter.layerStoreMemory))
  ]),
  // `gradient-images gateway` provides these too.
  Layer.provide([NodeCrypto.layerDigest, NodeCrypto.layerMac]),
  Layer.provide(GradientClient.layer({ modelAccessKey: Redacted.make("real"), baseUrl: upstream })),
  Layer.provide(NodeImages.layerHttpClient())
)

const ready = Layer.effectDiscard(
  HttpServer.addressFormattedWith((address) => Effect.sync(() => process.send?.(`${address}/v1/images/generations`)))
)

process.on("message", (question) => {
  if (question === "memory") {
    // The garbage collection runs twice, because the memory of the buffers that the first one finds is only released
    // after it.
    globalThis.gc?.()
    setTimeout(() => {
      globalThis.gc?.()
      const { external, heapUsed } = process.memoryUsage()
      process.send?.(heapUsed + external)
    }, 200)
  } else if (question !== "cpu") {
    process.send?.(process.resourceUsage().maxRSS * 1024)
  }
})
sendCpuTime()
process.on("disconnect", () => {
  rmSync(folder, { recursive: true, force: true })
  process.exit()
})

ready.pipe(
  Layer.provide(HttpRouter.serve(gateway, { disableLogger: true, disableListenLog: true })),
  Layer.provide(NodeHttpServer.layer(createServer, { host: "127.0.0.1", port: 0 })),
  Layer.launch,
  NodeRuntime.runMain
)
