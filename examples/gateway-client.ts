import { ImagesApi } from "@effect-gradient/gateway"
import { Effect, Redacted } from "effect"
import { FetchHttpClient, HttpClient, HttpClientRequest } from "effect/http"
import { HttpApiClient } from "effect/http-api"
import { AtomHttpApi } from "effect/reactivity"

/**
 * Makes a client of the gateway at `baseUrl`, such as `http://127.0.0.1:8080/v1`. `key` is one of the keys that the
 * gateway accepts. `generate` returns a response, or a stream of bytes if `stream` is true.
 */
export const client = (baseUrl: string, key: Redacted.Redacted) =>
  HttpApiClient.make(ImagesApi.ImagesApi, {
    baseUrl,
    transformClient: HttpClient.mapRequest(HttpClientRequest.bearerToken(Redacted.value(key)))
  })

/**
 * Generates an image through the gateway. A failure that the gateway reports is an error of its API, with a status and
 * a message.
 */
export const draw = (baseUrl: string, key: Redacted.Redacted) =>
  Effect.flatMap(client(baseUrl, key), ({ images }) =>
    images.generate({ headers: {}, payload: { prompt: "A cute baby sea otter" } })
  )

/**
 * A client for Effect's atoms. It sends no key: the page must be served from the gateway's own origin, and the gateway
 * must identify callers without a key, for example by a cookie.
 */
export class Gateway extends AtomHttpApi.Service<Gateway>()("Gateway", {
  api: ImagesApi.ImagesApi,
  baseUrl: "/v1",
  httpClient: FetchHttpClient.layer
}) {}

export const drawAtom = Gateway.mutation("images", "generate")
