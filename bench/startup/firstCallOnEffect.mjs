/**
 * The same call on Effect's own client, without a check: the least that the first call can take.
 */
import * as NodeHttpClient from "@effect/platform-node/NodeHttpClient"
import * as NodeRuntime from "@effect/platform-node/NodeRuntime"
import { Effect } from "effect"
import * as HttpClient from "effect/http/HttpClient"
import * as HttpClientRequest from "effect/http/HttpClientRequest"

HttpClientRequest.post(`${process.env.GRADIENT_BASE_URL}/images/generations`).pipe(
  HttpClientRequest.bodyJsonUnsafe({ prompt: "A cute baby sea otter" }),
  HttpClient.execute,
  Effect.flatMap((response) => response.json),
  Effect.map(({ data }) => Buffer.from(data[0].b64_json, "base64")),
  Effect.tap((bytes) => Effect.sync(() => process.stdout.write(String(bytes.length)))),
  Effect.provide(NodeHttpClient.layerUndici),
  NodeRuntime.runMain
)
