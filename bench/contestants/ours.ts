/**
 * This library on undici, as Node applications use it.
 */
import { NodeImages } from "@effect-gradient/node"
import type { MakeClient } from "../MakeClient.ts"
import { optionsOf, withLayer } from "./withLayer.ts"

export const make: MakeClient = (endpoint) => withLayer(endpoint, NodeImages.layer(optionsOf(endpoint)))
