/**
 * `pnpm gallery`: serves the page until it is stopped. With a key in the environment, the service draws the images;
 * without a key, the emulator does. `PORT` sets the port (default: any free one). `GALLERY_DATA` sets the folder of the
 * journal and the images. A gallery that is started again with the same folder and port can still send the images that
 * it has stored, to the page that requested them.
 */
import * as NodeRuntime from "@effect/platform-node/NodeRuntime"
import * as NodeServices from "@effect/platform-node/NodeServices"
import { GradientClient, GradientConfig, type GradientError } from "@effect-gradient/core"
import { GenerationJournal, ImageStore } from "@effect-gradient/durable"
import { SqliteClient } from "@effect-gradient/durable/node"
import { Emulator } from "@effect-gradient/emulator"
import { NodeImages } from "@effect-gradient/node"
import { Cause, Config, Console, Effect, Exit, FileSystem, Layer, Option, Redacted } from "effect"
import { HttpServer, type HttpServerError } from "effect/http"
import { fileURLToPath } from "node:url"
import * as Gallery from "./server.ts"

const real = GradientClient.layerFromConfig().pipe(Layer.provide(NodeImages.layerHttpClient()))

const emulated = Layer.unwrap(
  Effect.map(Emulator.baseUrl, (baseUrl) => GradientClient.layer({ baseUrl, modelAccessKey: Redacted.make("any") }))
).pipe(
  Layer.provide(NodeImages.layerHttpClient()),
  Layer.provide(Emulator.layerServer({ port: 0, latency: "1 second", pace: "1 second" }))
)

const dataFolder = Config.String("GALLERY_DATA").pipe(
  Config.withDefault(fileURLToPath(new URL("../../out/gallery", import.meta.url)))
)

/** The journal and the image store, both in this folder. */
const records = (folder: string) =>
  Layer.merge(
    GenerationJournal.layerSql().pipe(Layer.provide(SqliteClient.layer({ filename: `${folder}/journal.db` }))),
    ImageStore.layerFolder(`${folder}/images`)
  )

const gallery = Effect.gen(function* () {
  const hasKey = Option.isSome(yield* Effect.option(GradientConfig.keyConfig))
  const note = hasKey ? "The service draws. Each image is charged for." : "The emulator draws. Nothing is charged for."
  const client: Layer.Layer<
    GradientClient.GradientClient,
    Config.ConfigError | GradientError.GradientError | HttpServerError.ServeError
  > = hasKey ? real : emulated
  const folder = yield* Gallery.buildPage(note)
  const data = yield* dataFolder
  yield* (yield* FileSystem.FileSystem).makeDirectory(data, { recursive: true })
  const port = yield* Config.Port("PORT").pipe(Config.withDefault(0))
  return Layer.effectDiscard(
    HttpServer.addressFormattedWith((address) => Console.log(`${note}\nOpen ${address} (Ctrl+C ends it)`))
  ).pipe(Layer.provide(Gallery.layer({ folder, port })), Layer.provide([client, records(data)]))
})

Layer.unwrap(gallery).pipe(
  Layer.provide(NodeServices.layer),
  Layer.launch,
  NodeRuntime.runMain({
    // The program runs until the user stops it, so an interrupt is a success.
    teardown: (exit, onExit) => onExit(Exit.isFailure(exit) && !Cause.hasInterruptsOnly(exit.cause) ? 1 : 0)
  })
)
