import * as NodeRuntime from "@effect/platform-node/NodeRuntime" // loads faster than all of @effect/platform-node
import { Images } from "@effect-gradient/core"
import { ImageFile, NodeImages } from "@effect-gradient/node"
import { Effect } from "effect"

const program = Images.generate({ prompt: "A cute baby sea otter" }).pipe(
  Effect.flatMap((response) => ImageFile.write(response.data[0], "otter")) // to otter.png, else otter-2.png, and so on
)

program.pipe(Effect.provide(NodeImages.layerFromConfig()), NodeRuntime.runMain)
