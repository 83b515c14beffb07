/**
 * The call of `firstCall.mjs`, with Effect's own client and a Schema: about the least time that a first call can take.
 */
import * as NodeHttpClient from "@effect/platform-node/NodeHttpClient"
import * as NodeRuntime from "@effect/platform-node/NodeRuntime"
import { Effect, Schema } from "effect"
import * as HttpClient from "effect/http/HttpClient"
import * as HttpClientRequest from "effect/http/HttpClientRequest"
import * as HttpClientResponse from "effect/http/HttpClientResponse"
import { env, stdout } from "node:process"

const Response = Schema.Struct({ data: Schema.Tuple([Schema.Struct({ b64_json: Schema.Uint8ArrayFromBase64 })]) })

HttpClientRequest.post(`${env.GRADIENT_BASE_URL}/images/generations`).pipe(
  HttpClientRequest.bodyJsonUnsafe({ prompt: "A cute baby sea otter" }),
  HttpClient.execute,
  Effect.flatMap(HttpClientResponse.schemaBodyJson(Response)),
  Effect.map(({ data }) => data[0].b64_json),
  Effect.tap((bytes) => Effect.sync(() => stdout.write(String(bytes.length)))),
  Effect.provide(NodeHttpClient.layerUndici),
  NodeRuntime.runMain
)
