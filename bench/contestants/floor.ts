/**
 * The floor for a library on Effect: code that reads the body as a stream with Effect's HttpClient and drops it.
 */
import { type Layer, ManagedRuntime, Stream } from "effect"
import { HttpClient, HttpClientRequest, HttpClientResponse } from "effect/http"
import type { MakeClient } from "../MakeClient.ts"

export const makeOn =
  (layer: Layer.Layer<HttpClient.HttpClient>): MakeClient =>
  ({ baseUrl, images }) => {
    const runtime = ManagedRuntime.make(layer)
    const readAndDrop = (stream: boolean) =>
      HttpClientRequest.post(`${baseUrl}/images/generations`).pipe(
        HttpClientRequest.bearerToken("bench"),
        HttpClientRequest.bodyJsonUnsafe({ model: "bench", prompt: "A cute baby sea otter", n: images, stream }),
        HttpClient.execute,
        HttpClientResponse.stream,
        Stream.runFold(
          () => 0,
          (sum, chunk) => sum + chunk.length
        )
      )
    const [stream, generate] = [readAndDrop(true), readAndDrop(false)]
    return { stream: () => runtime.runPromise(stream), generate: () => runtime.runPromise(generate) }
  }
