/**
 * A request as tests see it and files keep it: its body as a value, and without its secrets.
 */
import * as Effect from "effect/Effect"
import type * as Headers from "effect/http/Headers"
import type * as HttpClientRequest from "effect/http/HttpClientRequest"
import * as HttpServerRequest from "effect/http/HttpServerRequest"
import * as UrlParams from "effect/http/UrlParams"
import * as Result from "effect/Result"

/** @category models */
export interface RecordedRequest {
  readonly method: string
  readonly url: string
  /** By their names in lower case; the values of secret ones are `<redacted>`. */
  readonly headers: Readonly<Record<string, string>>
  /** What the JSON of the body says, else its text; `undefined` where there was none. */
  readonly body?: unknown
}

const redacted = "<redacted>"
const secretNames = /auth|cookie|key|secret|token|credential|signature|password/i

/** The key of a repeated request is no secret, and a test wants to see that it stays the same. */
const isSecret = (name: string) => secretNames.test(name) && name !== "idempotency-key"

/** Keys of the service are known by how they begin, wherever they stand. */
const knownKeys = /\b(?:sk-do-|dop_v1_)[\w-]+/g

/** Shorter ones are words that other text may have as well. */
const shortestSecret = 8

/**
 * Takes the secrets of a request's headers out of any text, such as an answer that repeats the key, and whatever looks
 * like a key of the service.
 *
 * @category redacting
 */
export const redactText = (headers: Headers.Headers): ((text: string) => string) => {
  const secrets = Object.entries(headers)
    .filter(([name]) => isSecret(name))
    .map(([, value]) => value.replace(/^\w+ +/, "")) // The scheme, such as Bearer, is none.
    .filter((secret) => secret.length >= shortestSecret)
  return (text) =>
    secrets.reduce((rest, secret) => rest.replaceAll(secret, redacted), text).replace(knownKeys, redacted)
}

/**
 * The headers without the values of those that can hold a secret; `redact` takes secrets out of the others.
 *
 * @category redacting
 */
export const redactHeaders = (
  headers: Headers.Headers,
  redact: (text: string) => string
): Readonly<Record<string, string>> =>
  Object.fromEntries(Object.entries(headers).map(([name, value]) => [name, isSecret(name) ? redacted : redact(value)]))

const parseBody = (text: string, redact: (text: string) => string): unknown => {
  const redactString = (_: string, value: unknown) => (typeof value === "string" ? redact(value) : value)
  if (text === "") return undefined
  return Result.getOrElse(
    Result.try((): unknown => JSON.parse(text, redactString)),
    () => redact(text)
  )
}

/**
 * What is kept of a request. A body that cannot be read is a defect.
 *
 * @category constructors
 */
export const fromClientRequest = (request: HttpClientRequest.HttpClientRequest): Effect.Effect<RecordedRequest> => {
  const received = HttpServerRequest.fromClientRequest(request)
  const redact = redactText(request.headers)
  return Effect.map(Effect.orDie(received.text), (text) => ({
    method: request.method,
    url: redact(UrlParams.redactUrl(received.originalUrl, [secretNames])),
    headers: redactHeaders(request.headers, redact),
    body: parseBody(text, redact)
  }))
}
