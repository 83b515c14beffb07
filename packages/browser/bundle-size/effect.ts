/**
 * The application without the library. It has the parts of Effect that an application already bundles, such as Stream,
 * Schema and HttpClient.
 */
import { Effect, Layer, Schema, Stream } from "effect"
import { FetchHttpClient, HttpClient, HttpClientRequest } from "effect/http"

export const kept = () => [Effect, Layer, Schema, Stream, HttpClient, HttpClientRequest, FetchHttpClient]
