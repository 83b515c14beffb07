/**
 * This library as a Node application uses it: on undici.
 */
import { NodeImages } from "@effect-gradient/node"
import type { MakeClient } from "../contestant.ts"
import { optionsOf, withLayer } from "./withLayer.ts"

export const make: MakeClient = (endpoint) => withLayer(endpoint, NodeImages.layer(optionsOf(endpoint)))
