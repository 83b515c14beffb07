/**
 * Effect without this library: its HttpClient on undici, its event stream decoder, and a Schema that decodes base64.
 */
import * as NodeHttpClient from "@effect/platform-node/NodeHttpClient"
import { Effect, ManagedRuntime, Schema, Stream } from "effect"
import { Sse } from "effect/encoding"
import { HttpClient, HttpClientRequest, HttpClientResponse } from "effect/http"
import type { MakeClient } from "../MakeClient.ts"

const Event = Schema.Struct({ type: Schema.String, b64_json: Schema.Uint8ArrayFromBase64 })
const Response = Schema.Struct({ data: Schema.Array(Schema.Struct({ b64_json: Schema.Uint8ArrayFromBase64 })) })

/**
 * The longest event that is accepted, in UTF-16 code units. With the default of 10 Mi, a stream with an image of 12 MB
 * would fail.
 */
const maxEventSize = 256 * 1024 * 1024

export const make: MakeClient = ({ baseUrl, images }) => {
  const runtime = ManagedRuntime.make(NodeHttpClient.layerUndici)
  const post = (stream: boolean) =>
    HttpClientRequest.post(`${baseUrl}/images/generations`).pipe(
      HttpClientRequest.bearerToken("bench"),
      HttpClientRequest.bodyJsonUnsafe({ model: "bench", prompt: "A cute baby sea otter", n: images, stream }),
      HttpClient.execute
    )
  const stream = HttpClientResponse.stream(post(true)).pipe(
    Stream.decodeText,
    Stream.pipeThroughChannel(Sse.decodeDataSchema(Event, { maxEventSize })),
    Stream.runFold(
      () => 0,
      (sum, { data }) => sum + data.b64_json.length
    )
  )
  const generate = post(false).pipe(
    Effect.flatMap(HttpClientResponse.schemaBodyJson(Response)),
    Effect.map(({ data }) => data.reduce((sum, image) => sum + image.b64_json.length, 0))
  )
  return { stream: () => runtime.runPromise(stream), generate: () => runtime.runPromise(generate) }
}
