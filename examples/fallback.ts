import * as ImagesFallback from "@effect-gradient/core/ImagesFallback"
import { NodeImages } from "@effect-gradient/node"
import { Redacted } from "effect"

/** First the service, then the same wire on a server of one's own, with another model. */
export const withFallback = (baseUrl: string, model: string) =>
  ImagesFallback.layer([
    { layer: NodeImages.layerFromConfig() },
    { layer: NodeImages.layer({ baseUrl, modelAccessKey: Redacted.make("own") }), model }
  ])
