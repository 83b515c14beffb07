/**
 * This library on the platform's fetch, which browsers and edge runtimes have.
 */
import { GradientClient, Images } from "@effect-gradient/core"
import { Layer } from "effect"
import { FetchHttpClient } from "effect/http"
import type { MakeClient } from "../MakeClient.ts"
import { optionsOf, withLayer } from "./withLayer.ts"

export const make: MakeClient = (endpoint) =>
  withLayer(
    endpoint,
    Images.layer.pipe(Layer.provide(GradientClient.layer(optionsOf(endpoint))), Layer.provide(FetchHttpClient.layer))
  )
