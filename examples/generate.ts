import * as NodeRuntime from "@effect/platform-node/NodeRuntime" // the package's index takes 0.5 s to load
import { Images } from "@effect-gradient/core"
import { ImageFile, NodeImages } from "@effect-gradient/node"
import { Effect } from "effect"

const program = Images.generate({ prompt: "A cute baby sea otter" }).pipe(
  Effect.flatMap((response) => ImageFile.write(response.data[0], "otter")) // writes otter.png; if taken, otter-2.png
)

program.pipe(Effect.provide(NodeImages.layerFromConfig()), NodeRuntime.runMain)
