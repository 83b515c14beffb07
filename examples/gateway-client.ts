import { ImagesApi } from "@effect-gradient/gateway"
import { Effect, Redacted } from "effect"
import { FetchHttpClient, HttpClient, HttpClientRequest } from "effect/http"
import { HttpApiClient } from "effect/http-api"
import { AtomHttpApi } from "effect/reactivity"

/** A client of the gateway, with one of its keys. It returns a response, or a stream of bytes if `stream` is true. */
export const client = (baseUrl: string, key: Redacted.Redacted) =>
  HttpApiClient.make(ImagesApi.ImagesApi, {
    baseUrl,
    transformClient: HttpClient.mapRequest(HttpClientRequest.bearerToken(Redacted.value(key)))
  })

/** A failure is an error of the API, with its status and message. */
export const draw = (baseUrl: string, key: Redacted.Redacted) =>
  Effect.flatMap(client(baseUrl, key), ({ images }) =>
    images.generate({ headers: {}, payload: { prompt: "A cute baby sea otter" } })
  )

/** The same for a page on the gateway's own origin, with Effect's atoms. */
export class Gateway extends AtomHttpApi.Service<Gateway>()("Gateway", {
  api: ImagesApi.ImagesApi,
  baseUrl: "/v1",
  httpClient: FetchHttpClient.layer
}) {}

export const drawAtom = Gateway.mutation("images", "generate")
