import { GradientClient, Images } from "@effect-gradient/core"
import { Emulator } from "@effect-gradient/emulator"
import { Layer, Redacted } from "effect"

/**
 * `Images` on the emulator, in place of `NodeImages.layerFromConfig()`. It needs no real key and no network, and costs
 * nothing.
 */
export const emulated = Images.layer.pipe(
  Layer.provide(GradientClient.layer({ modelAccessKey: Redacted.make("any") })),
  Layer.provide(Emulator.layerHttpClient({ pace: "400 millis" }))
)
