import * as ImagesFallback from "@effect-gradient/core/ImagesFallback"
import { NodeImages } from "@effect-gradient/node"
import { Redacted } from "effect"

/** First the service, then your own server with the same wire format and another model. */
export const withFallback = (baseUrl: string, model: string) =>
  ImagesFallback.layer([
    { layer: NodeImages.layerFromConfig() },
    { layer: NodeImages.layer({ baseUrl, modelAccessKey: Redacted.make("own") }), model }
  ])
