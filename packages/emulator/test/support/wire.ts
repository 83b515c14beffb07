/** Speaking to the emulator without a library between, and reading its pictures with decoders it does not use. */
import { Effect, Schema } from "effect"
import { HttpClient, HttpClientRequest, type HttpClientResponse } from "effect/http"
import { imageSize } from "image-size"

const url = "http://emulator.test/v1/images/generations"

/** Small and quickly painted; a test adds what it is about. */
export const small = { prompt: "a cute baby sea otter", size: "96x64", quality: "low" }

/** The reply to this body; text is sent as it is. */
export const post = (
  body: unknown,
  headers: Readonly<Record<string, string>> = { authorization: "Bearer any" },
  to: string = url
): Effect.Effect<HttpClientResponse.HttpClientResponse, unknown, HttpClient.HttpClient> =>
  HttpClient.HttpClient.use((client) =>
    client.execute(
      HttpClientRequest.post(to, { headers }).pipe(
        HttpClientRequest.bodyText(typeof body === "string" ? body : JSON.stringify(body), "application/json")
      )
    )
  )

const Reply = Schema.Struct({
  created: Schema.Int,
  data: Schema.Array(Schema.Struct({ b64_json: Schema.String })),
  background: Schema.String,
  output_format: Schema.String,
  quality: Schema.String,
  size: Schema.String,
  usage: Schema.Struct({
    input_tokens: Schema.Int,
    output_tokens: Schema.Int,
    total_tokens: Schema.Int,
    input_tokens_details: Schema.Struct({ text_tokens: Schema.Int, image_tokens: Schema.Int })
  })
})

/** The whole reply as it stands on the wire. */
export const generate = (body: object) =>
  post(body).pipe(
    Effect.flatMap((response) => response.json),
    Effect.flatMap(Schema.decodeUnknownEffect(Reply))
  )

const ErrorBody = Schema.Struct({
  error: Schema.Struct({
    message: Schema.String,
    type: Schema.String,
    param: Schema.NullOr(Schema.String),
    code: Schema.NullOr(Schema.String)
  })
})

/** Status and error of the reply to this body. */
export const refused = (body: unknown, headers?: Readonly<Record<string, string>>) =>
  Effect.gen(function* () {
    const response = yield* post(body, headers)
    const { error } = yield* Schema.decodeUnknownEffect(ErrorBody)(yield* response.json)
    return { status: response.status, ...error }
  })

export const bytesOf = (base64: string): Uint8Array => Uint8Array.from(Buffer.from(base64, "base64"))

/** Format and dimensions, read by a decoder that the emulator does not use: `png 96x64`. */
export const describeImage = (bytes: Uint8Array): string => {
  const { height, type, width } = imageSize(bytes)
  return `${type} ${width}x${height}`
}
