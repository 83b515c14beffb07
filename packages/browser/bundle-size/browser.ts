/** The application of `effect.ts`, with images from a gateway. Its calls reconnect when a connection breaks. */
import { BrowserImages } from "@effect-gradient/browser"
import { Images } from "@effect-gradient/core"
import { Effect, Stream } from "effect"

export { kept } from "./effect.ts"

export const images = Images.generate({ prompt: "A cute baby sea otter" }).pipe(
  Effect.andThen(Stream.runDrain(Images.generateStream({ prompt: "A cute baby sea otter" }))),
  Effect.provide(BrowserImages.layer({ baseUrl: "/v1" }))
)
