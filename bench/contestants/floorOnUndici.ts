/**
 * The floor with Effect's HttpClient on undici, in Effect's own layer: reads the body and drops it.
 */
import * as NodeHttpClient from "@effect/platform-node/NodeHttpClient"
import { makeOn } from "./floor.ts"

export const make = makeOn(NodeHttpClient.layerUndici)
