/**
 * `node examples/telemetry/start.ts [http://localhost:4318]`: generates an image, sends spans, metrics and logs to the
 * collector, and serves the metrics for Prometheus until it is stopped. The key comes from the environment.
 */
import * as NodeHttpServer from "@effect/platform-node/NodeHttpServer"
import * as NodeRuntime from "@effect/platform-node/NodeRuntime"
import { Images } from "@effect-gradient/core"
import { Config, Console, Effect, Layer, Stream } from "effect"
import { HttpRouter, HttpServer } from "effect/http"
import { PrometheusMetrics } from "effect/observability"
import { createServer } from "node:http"
import { argv } from "node:process"
import { observed } from "./observed.ts"

const [, , collector = "http://localhost:4318"] = argv

/** Serves the metrics at `/metrics` on 127.0.0.1, for Prometheus. `PORT` sets the port (default: 9464). */
const metrics = HttpRouter.serve(PrometheusMetrics.layerHttp(), { disableLogger: true, disableListenLog: true }).pipe(
  Layer.provideMerge(
    Layer.unwrap(
      Effect.map(Config.Int("PORT").pipe(Config.withDefault(9464)), (port) =>
        NodeHttpServer.layer(createServer, { host: "127.0.0.1", port })
      )
    )
  )
)

const program = Effect.gen(function* () {
  yield* Images.generateStream({ prompt: "A lighthouse in a storm", partialImages: 2 }).pipe(
    Stream.runForEach(({ _tag, bytes }) => Console.log(`${_tag}: ${bytes.length} bytes`))
  )
  yield* HttpServer.addressFormattedWith((address) => Console.log(`Metrics: ${address}/metrics`))
  return yield* Effect.never
})

program.pipe(Effect.provide([observed(collector), metrics]), NodeRuntime.runMain)
