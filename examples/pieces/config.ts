import { GradientConfig } from "@effect-gradient/core"
import { NodeImages } from "@effect-gradient/node"
import { Config } from "effect"

/** Reads the key from `POSTERS_IMAGE_KEY`, and the base URL from the usual variables. */
export const layer = NodeImages.layerConfig({
  modelAccessKey: Config.Redacted("POSTERS_IMAGE_KEY"),
  baseUrl: GradientConfig.baseUrlConfig
})
