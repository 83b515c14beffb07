import { ImagesApi } from "@effect-gradient/gateway"
import { Effect } from "effect"
import { HttpClient, HttpClientRequest } from "effect/http"
import { HttpApiClient } from "effect/http-api"

/**
 * Generates an image through a gateway. `key` is one of the keys that the gateway accepts. The effect needs only an
 * `HttpClient`, such as `FetchHttpClient.layer`.
 */
export const draw = (baseUrl: string, key: string, prompt: string) =>
  HttpApiClient.make(ImagesApi.ImagesApi, {
    baseUrl,
    transformClient: HttpClient.mapRequest(HttpClientRequest.bearerToken(key))
  }).pipe(Effect.flatMap(({ images }) => images.generate({ headers: {}, payload: { prompt } })))
