import { GradientClient, Images } from "@effect-gradient/core"
import { NodeImages } from "@effect-gradient/node"
import { Layer } from "effect"

// Through a proxy.
export const throughProxy = (proxy: string) => NodeImages.layerFromConfig({ proxy })

// Trusting a certificate of your own, beside the usual ones.
export const trusting = (ca: string) => NodeImages.layerFromConfig({ tls: { ca } })

// The parts, to put something of yours in place of one.
export const assembled = Images.layer.pipe(
  Layer.provide(GradientClient.layerFromConfig()),
  Layer.provide(NodeImages.layerHttpClient({ connectTimeout: "2 seconds" }))
)
