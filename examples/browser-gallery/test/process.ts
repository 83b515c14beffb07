/**
 * The gallery's server as a program, so that a test can run it in its own process and end or kill it. It prints its
 * address.
 */
import * as NodeRuntime from "@effect/platform-node/NodeRuntime"
import * as NodeServices from "@effect/platform-node/NodeServices"
import { GradientClient } from "@effect-gradient/core"
import { GenerationJournal, ImageStore } from "@effect-gradient/durable"
import { SqliteClient } from "@effect-gradient/durable/node"
import { NodeImages } from "@effect-gradient/node"
import { Config, Console, Effect, Layer } from "effect"
import { HttpServer } from "effect/http"
import * as Gallery from "../server.ts"

const gallery = Effect.gen(function* () {
  const folder = yield* Config.String("PAGE")
  const data = yield* Config.String("DATA")
  return Layer.effectDiscard(HttpServer.addressFormattedWith((address) => Console.log(address))).pipe(
    Layer.provide(Gallery.layer({ folder, port: 0, durable: { lease: "2 seconds" } })),
    Layer.provide([
      GenerationJournal.layerSql().pipe(Layer.provide(SqliteClient.layer({ filename: `${data}/journal.db` }))),
      ImageStore.layerFolder(`${data}/images`),
      GradientClient.layerFromConfig().pipe(Layer.provide(NodeImages.layerHttpClient()))
    ])
  )
})

Layer.unwrap(gallery).pipe(Layer.provide(NodeServices.layer), Layer.launch, NodeRuntime.runMain)
