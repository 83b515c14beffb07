/**
 * Makes the client of a contestant that uses this library, with the given layer. Both such contestants, on undici and
 * on fetch, use it.
 */
import { type GradientClient, Images } from "@effect-gradient/core"
import { Effect, type Layer, ManagedRuntime, Redacted, Stream } from "effect"
import type { Client, Endpoint } from "../MakeClient.ts"

export const optionsOf = ({ baseUrl, timeoutMillis }: Endpoint): GradientClient.Options => ({
  baseUrl,
  modelAccessKey: Redacted.make("bench"),
  timeout: timeoutMillis
})

export const withLayer = ({ images }: Endpoint, layer: Layer.Layer<Images.Images, unknown>): Client => {
  const runtime = ManagedRuntime.make(layer)
  const params = { model: "bench", prompt: "A cute baby sea otter" }
  const stream = Images.generateStream({ ...params, partialImages: Math.max(images - 1, 1) }).pipe(
    Stream.runFold(
      () => 0,
      (sum, { bytes }) => sum + bytes.length
    )
  )
  const generate = Effect.map(Images.generate({ ...params, n: images }), ({ data }) =>
    data.reduce((sum, { bytes }) => sum + bytes.length, 0)
  )
  return { stream: () => runtime.runPromise(stream), generate: () => runtime.runPromise(generate) }
}
