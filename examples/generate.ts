import * as NodeRuntime from "@effect/platform-node/NodeRuntime" // loads faster than the package's index
import { Images } from "@effect-gradient/core"
import { ImageFile, NodeImages } from "@effect-gradient/node"
import { Effect } from "effect"

const program = Images.generate({ prompt: "A cute baby sea otter" }).pipe(
  Effect.flatMap((response) => ImageFile.write(response.data[0], "otter")) // writes otter.png; if taken, otter-2.png
)

program.pipe(Effect.provide(NodeImages.layerFromConfig()), NodeRuntime.runMain)
