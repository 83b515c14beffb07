import { GradientClient, Images } from "@effect-gradient/core"
import { NodeImages } from "@effect-gradient/node"
import { Cassette } from "@effect-gradient/node/testing"
import { Layer } from "effect"

/** Replays the replies in this file. If it does not exist, sends the requests once and records them. */
export const recorded = (path: string) =>
  Images.layer.pipe(
    Layer.provide(GradientClient.layerFromConfig()),
    Layer.provide(Cassette.layerAuto(path)),
    Layer.provide(NodeImages.layerHttpClient())
  )
