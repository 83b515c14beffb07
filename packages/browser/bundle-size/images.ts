/** The application of `effect.ts`, with images over fetch: it calls `generate` and `generateStream`. */
import { BrowserImages } from "@effect-gradient/browser"
import { GradientClient, Images } from "@effect-gradient/core"
import { Effect, Layer, Stream } from "effect"

export { kept } from "./effect.ts"

export const images = Images.generate({ prompt: "A cute baby sea otter" }).pipe(
  Effect.andThen(Stream.runDrain(Images.generateStream({ prompt: "A cute baby sea otter" }))),
  Effect.provide(Images.layer),
  Effect.provide(GradientClient.layer({ baseUrl: "/v1" }).pipe(Layer.provide(BrowserImages.layerHttpClient())))
)
