/**
 * The floor on undici, as Effect's own layer uses it.
 */
import * as NodeHttpClient from "@effect/platform-node/NodeHttpClient"
import { makeOn } from "./floor.ts"

export const make = makeOn(NodeHttpClient.layerUndici)
