import { GradientClient, Images } from "@effect-gradient/core"
import { NodeImages } from "@effect-gradient/node"
import { Layer } from "effect"

// Sends the requests through a proxy.
export const throughProxy = (proxy: string) => NodeImages.layerFromConfig({ proxy })

// Trusts your own certificate authority, in addition to those that Node trusts.
export const trusting = (ca: string) => NodeImages.layerFromConfig({ tls: { ca } })

// The parts of `NodeImages.layerFromConfig`, without the proxies of the environment. You can replace each part.
export const assembled = Images.layer.pipe(
  Layer.provide(GradientClient.layerFromConfig()),
  Layer.provide(NodeImages.layerHttpClient({ connectTimeout: "2 seconds" }))
)
