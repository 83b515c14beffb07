/**
 * The floor on the platform's fetch.
 */
import { FetchHttpClient } from "effect/http"
import { makeOn } from "./floor.ts"

export const make = makeOn(FetchHttpClient.layer)
