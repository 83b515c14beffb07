import { ImagesApi } from "@effect-gradient/gateway"
import { Effect, Redacted } from "effect"
import { FetchHttpClient, HttpClient, HttpClientRequest } from "effect/http"
import { HttpApiClient } from "effect/http-api"
import { AtomHttpApi } from "effect/reactivity"

/** A client with this key of the gateway. Its reply is a response, or a stream of bytes if `stream` is true. */
export const client = (baseUrl: string, key: Redacted.Redacted) =>
  HttpApiClient.make(ImagesApi.ImagesApi, {
    baseUrl,
    transformClient: HttpClient.mapRequest(HttpClientRequest.bearerToken(Redacted.value(key)))
  })

/** Fails with an error of the API, with its status and message. */
export const draw = (baseUrl: string, key: Redacted.Redacted) =>
  Effect.flatMap(client(baseUrl, key), ({ images }) =>
    images.generate({ headers: {}, payload: { prompt: "A cute baby sea otter" } })
  )

/** For a page on the gateway's own origin. */
export class Gateway extends AtomHttpApi.Service<Gateway>()("Gateway", {
  api: ImagesApi.ImagesApi,
  baseUrl: "/v1",
  httpClient: FetchHttpClient.layer
}) {}

export const drawAtom = Gateway.mutation("images", "generate")
