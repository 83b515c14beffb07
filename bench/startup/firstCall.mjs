/**
 * The README's first program, with the image in memory in place of a file.
 */
import * as NodeRuntime from "@effect/platform-node/NodeRuntime"
import { Images } from "@effect-gradient/core"
import { NodeImages } from "@effect-gradient/node"
import { Effect } from "effect"
import { stdout } from "node:process"

Images.generate({ prompt: "A cute baby sea otter" }).pipe(
  Effect.tap(({ data }) => Effect.sync(() => stdout.write(String(data[0].bytes.length)))),
  Effect.provide(NodeImages.layerFromConfig()),
  NodeRuntime.runMain
)
