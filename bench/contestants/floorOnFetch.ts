/**
 * The floor with Effect's HttpClient on the platform's fetch: reads the body and drops it.
 */
import { FetchHttpClient } from "effect/http"
import { makeOn } from "./floor.ts"

export const make = makeOn(FetchHttpClient.layer)
