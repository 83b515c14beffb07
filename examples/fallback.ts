import * as ImagesFallback from "@effect-gradient/core/ImagesFallback"
import { NodeImages } from "@effect-gradient/node"
import { Redacted } from "effect"

/**
 * Tries the service first. If it is down or refuses the key, the model, the rate or the quota, and nothing can have been
 * charged for, tries your own server at `baseUrl`, which has the same wire format and another model.
 */
export const withFallback = (baseUrl: string, model: string) =>
  ImagesFallback.layer([
    { layer: NodeImages.layerFromConfig() },
    { layer: NodeImages.layer({ baseUrl, modelAccessKey: Redacted.make("own") }), model }
  ])
