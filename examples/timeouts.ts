import { Images } from "@effect-gradient/core"
import { NodeImages } from "@effect-gradient/node"

// The defaults for the calls of a layer. A call can set its own `timeout` and `idleTimeout`.
export const hurried = NodeImages.layerFromConfig({
  timeout: "3 minutes",
  idleTimeout: "30 seconds",
  connectTimeout: "2 seconds"
})

// A timeout of one call.
export const slow = Images.generate({ prompt: "A cathedral", quality: "high" }, { timeout: "20 minutes" })
