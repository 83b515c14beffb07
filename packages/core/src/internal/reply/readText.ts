/** Reads a reply that has no images, as text. */
import * as Effect from "effect/Effect"
import type * as HttpClientResponse from "effect/http/HttpClientResponse"
import * as Stream from "effect/Stream"
import * as GradientError from "../../GradientError.ts"
import { reasonOfFailure } from "../failure/transportFailure.ts"
import { readHead } from "../responseHead.ts"

declare const TextDecoder: new () => { decode(bytes?: Uint8Array, options?: { stream: boolean }): string }

/** Reads the whole body and redacts the secrets of the request. Fails if the body is longer than `maxBytes`. */
export const readText = (
  response: HttpClientResponse.HttpClientResponse,
  maxBytes: number
): Effect.Effect<string, GradientError.GradientErrorReason> =>
  Effect.suspend(() => {
    const { redact, fields } = readHead(response)
    const decoder = new TextDecoder()
    let text = ""
    let length = 0
    return response.stream.pipe(
      Stream.mapError((error) => reasonOfFailure(error, fields)),
      Stream.runForEach((chunk) => {
        length += chunk.length
        if (length > maxBytes) {
          return Effect.fail(
            new GradientError.InvalidResponseError({
              ...fields,
              description: `the reply is longer than ${maxBytes} bytes`
            })
          )
        }
        text += decoder.decode(chunk, { stream: true })
        return Effect.void
      }),
      Effect.map(() => redact(text + decoder.decode()))
    )
  })
