import { Images } from "@effect-gradient/core"
import { NodeImages } from "@effect-gradient/node"
import { Context, Layer, type Redacted } from "effect"

/** `Images` with the key for guests. Use it with `const guests = yield* GuestImages`, then `guests.generate({ prompt })`. */
export class GuestImages extends Context.Service<GuestImages, Images.Images["Service"]>()("GuestImages") {}

/** Provides two clients: `Images` uses the key of the team, and `GuestImages` the key for guests. */
export const twoKeys = (team: Redacted.Redacted, guests: Redacted.Redacted) =>
  Layer.merge(
    NodeImages.layerFromConfig({ modelAccessKey: team }),
    Layer.effect(GuestImages, Images.Images).pipe(Layer.provide(NodeImages.layerFromConfig({ modelAccessKey: guests })))
  )
