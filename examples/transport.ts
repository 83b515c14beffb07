import { GradientClient, Images } from "@effect-gradient/core"
import { NodeImages } from "@effect-gradient/node"
import { Layer } from "effect"

// Through a proxy.
export const throughProxy = (proxy: string) => NodeImages.layerFromConfig({ proxy })

// Trusts your own certificate, in addition to the usual ones.
export const trusting = (ca: string) => NodeImages.layerFromConfig({ tls: { ca } })

// The same layer from its parts. You can replace each of them.
export const assembled = Images.layer.pipe(
  Layer.provide(GradientClient.layerFromConfig()),
  Layer.provide(NodeImages.layerHttpClient({ connectTimeout: "2 seconds" }))
)
