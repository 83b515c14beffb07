/**
 * Records the cassette: `GRADIENT_MODEL_ACCESS_KEY=... node record.ts`, which costs one image. It costs nothing with
 * `GRADIENT_BASE_URL` set to an emulator, which is how the cassette in this folder was recorded.
 */
import { NodeRuntime } from "@effect/platform-node"
import { GradientClient, Images } from "@effect-gradient/core"
import { NodeImages } from "@effect-gradient/node"
import { Cassette } from "@effect-gradient/node/testing"
import { Effect, Layer } from "effect"
import { join } from "node:path"
import { watchCover } from "./covers.ts"

const images = Images.layer.pipe(
  Layer.provide(GradientClient.layerFromConfig()),
  Layer.provide(Cassette.layerRecord(join(import.meta.dirname, "cassettes/otters.json"))),
  Layer.provide(NodeImages.layerHttpClient())
)

watchCover("Otters at Sea", (bytes) => Effect.log(`${bytes.length} bytes`)).pipe(
  Effect.provide(images),
  NodeRuntime.runMain
)
