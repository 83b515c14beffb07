import { GradientConfig } from "@effect-gradient/core"
import { NodeImages } from "@effect-gradient/node"
import { Config } from "effect"

/** The key from a variable of your own, the base URL from the usual ones. */
export const layer = NodeImages.layerConfig({
  modelAccessKey: Config.Redacted("POSTERS_IMAGE_KEY"),
  baseUrl: GradientConfig.baseUrlConfig
})
