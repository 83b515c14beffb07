/**
 * `GRADIENT_MODEL_ACCESS_KEY=... node record.ts` records the cassette, and pays for one image. With `GRADIENT_BASE_URL` set
 * to an emulator, recording costs nothing. The cassette in this folder was recorded from an emulator.
 */
import * as NodeRuntime from "@effect/platform-node/NodeRuntime"
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
