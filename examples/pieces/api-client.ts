import { ImagesApi } from "@effect-gradient/gateway"
import { Effect } from "effect"
import { HttpClient, HttpClientRequest } from "effect/http"
import { HttpApiClient } from "effect/http-api"

/**
 * Generates an image through the gateway at `baseUrl`, such as `http://127.0.0.1:8080/v1`. `key` is one of the keys that
 * the gateway accepts. The effect needs only an `HttpClient`, such as `FetchHttpClient.layer`.
 */
export const draw = (baseUrl: string, key: string, prompt: string) =>
  HttpApiClient.make(ImagesApi.ImagesApi, {
    baseUrl,
    transformClient: HttpClient.mapRequest(HttpClientRequest.bearerToken(key))
  }).pipe(Effect.flatMap(({ images }) => images.generate({ headers: {}, payload: { prompt } })))
