/**
 * A request as it is recorded in tests and in cassettes: its body is parsed, and the secrets that are recognised are
 * redacted.
 */
import * as Effect from "effect/Effect"
import type * as HttpClientRequest from "effect/http/HttpClientRequest"
import * as HttpServerRequest from "effect/http/HttpServerRequest"
import * as Result from "effect/Result"
import { redactHeaders, redactText, redactUrl } from "../internal/redaction.ts"

export { redactHeaders, redactText }

/**
 * @category models
 * @since 0.1.0
 */
export interface RecordedRequest {
  readonly method: string
  readonly url: string
  /**
   * The headers, with names in lower case. If a name suggests a secret, as `authorization` does, the value is
   * `<redacted>`.
   */
  readonly headers: Readonly<Record<string, string>>
  /** The body, parsed as JSON. If it is not JSON, the body's text. If it is empty, `undefined`. */
  readonly body?: unknown
}

const parseBody = (text: string, redact: (text: string) => string): unknown => {
  const redactString = (_: string, value: unknown) => (typeof value === "string" ? redact(value) : value)
  if (text === "") return undefined
  return Result.getOrElse(
    Result.try((): unknown => JSON.parse(text, redactString)),
    () => redact(text)
  )
}

/**
 * Converts a request to a `RecordedRequest`. If the body of the request cannot be read, the Effect dies.
 *
 * @category constructors
 * @since 0.1.0
 */
export const fromClientRequest = (request: HttpClientRequest.HttpClientRequest): Effect.Effect<RecordedRequest> => {
  const received = HttpServerRequest.fromClientRequest(request)
  const redact = redactText(request.headers)
  return Effect.map(Effect.orDie(received.text), (text) => ({
    method: request.method,
    url: redact(redactUrl(received.originalUrl)),
    headers: redactHeaders(request.headers, redact),
    body: parseBody(text, redact)
  }))
}
