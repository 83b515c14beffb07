import * as NodeRuntime from "@effect/platform-node/NodeRuntime"
import { Images } from "@effect-gradient/core"
import { ImageFile, NodeImages } from "@effect-gradient/node"
import { Effect } from "effect"

const program = Images.generate({ prompt: "A cute baby sea otter" }).pipe(
  // otter.png, by its format
  Effect.flatMap((response) => ImageFile.write(response.data[0], "otter", { overwrite: true }))
)

program.pipe(Effect.provide(NodeImages.layerFromConfig()), NodeRuntime.runMain)
