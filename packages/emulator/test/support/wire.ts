/** Sends HTTP requests to the emulator in process, without this library's client. */
import { Effect, Schema } from "effect"
import { HttpClient, HttpClientRequest, type HttpClientResponse } from "effect/http"
import { imageSize } from "image-size"

const url = "http://emulator.test/v1/images/generations"

/** Params of an image that is painted quickly. */
export const small = { prompt: "a cute baby sea otter", size: "96x64", quality: "low" }

/** Sends a body to the emulator: a text as it is, anything else as JSON. */
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

/** Requests images and returns the JSON reply, with the names of its fields as on the wire. */
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

/** Sends a body and returns the status and the error of the reply. */
export const refused = (body: unknown, headers?: Readonly<Record<string, string>>) =>
  Effect.gen(function* () {
    const response = yield* post(body, headers)
    const { error } = yield* Schema.decodeUnknownEffect(ErrorBody)(yield* response.json)
    return { status: response.status, ...error }
  })

export const bytesOf = (base64: string): Uint8Array => Uint8Array.from(Buffer.from(base64, "base64"))

/** Returns the format and size of an image, such as `png 96x64`. The emulator does not use this parser. */
export const describeImage = (bytes: Uint8Array): string => {
  const { height, type, width } = imageSize(bytes)
  return `${type} ${width}x${height}`
}
