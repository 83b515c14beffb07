import { GradientClient, Images } from "@effect-gradient/core"
import { Emulator } from "@effect-gradient/emulator"
import { Layer, Redacted } from "effect"

/** In place of `NodeImages.layerFromConfig()`: no key, no network, no bill. */
export const emulated = Images.layer.pipe(
  Layer.provide(GradientClient.layer({ modelAccessKey: Redacted.make("any") })),
  Layer.provide(Emulator.layerHttpClient({ pace: "400 millis" }))
)
