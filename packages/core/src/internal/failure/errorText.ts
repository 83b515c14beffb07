import * as Effect from "effect/Effect"
import type * as HttpClientResponse from "effect/http/HttpClientResponse"
import * as Stream from "effect/Stream"

declare const TextDecoder: new () => { decode(bytes: Uint8Array, options: { stream: boolean }): string }

const mostBytes = 64 * 1024

/** Reads at most 64 KiB of the error body, for at most 5 s. */
export const errorText = (response: HttpClientResponse.HttpClientResponse): Effect.Effect<string> =>
  Effect.suspend(() => {
    const decoder = new TextDecoder()
    let text = ""
    let length = 0
    return response.stream.pipe(
      Stream.takeUntil((chunk) => {
        text += decoder.decode(chunk.subarray(0, mostBytes - length), { stream: true })
        length += chunk.length
        return length >= mostBytes
      }),
      Stream.runDrain,
      Effect.timeoutOption("5 seconds"),
      // A failure to read the body is ignored, because a reason can be made from the status alone.
      Effect.ignore,
      Effect.map(() => text)
    )
  })
