/** What an application has already: Effect's Stream, Schema and HttpClient with its requests, whole. */
import { Effect, Layer, Schema, Stream } from "effect"
import { FetchHttpClient, HttpClient, HttpClientRequest } from "effect/http"

export const kept = () => [Effect, Layer, Schema, Stream, HttpClient, HttpClientRequest, FetchHttpClient]
