/**
 * This library on the platform's fetch, as browsers and edge runtimes use it.
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
