import { GradientClient, Images } from "@effect-gradient/core"
import { NodeImages } from "@effect-gradient/node"
import { Cassette } from "@effect-gradient/node/testing"
import { Layer } from "effect"

/**
 * `Images` with replies from the cassette at `path`. If the file does not exist, requests are sent to the service, and
 * its replies are recorded: in this file, with the images in files beside it.
 */
export const recorded = (path: string) =>
  Images.layer.pipe(
    Layer.provide(GradientClient.layerFromConfig()),
    Layer.provide(Cassette.layerAuto(path)),
    Layer.provide(NodeImages.layerHttpClient())
  )
