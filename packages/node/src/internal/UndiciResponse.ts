/**
 * Makes Effect's `HttpClientResponse` of a response of undici. Its body is a stream; text, JSON and other forms are
 * read from that stream.
 */
import * as Cookies from "effect/http/Cookies"
import * as Headers from "effect/http/Headers"
import * as HttpClientError from "effect/http/HttpClientError"
import type * as HttpClientRequest from "effect/http/HttpClientRequest"
import * as HttpClientResponse from "effect/http/HttpClientResponse"
import * as HttpIncomingMessage from "effect/http/HttpIncomingMessage"
import * as UrlParams from "effect/http/UrlParams"
import * as Effect from "effect/Effect"
import * as Inspectable from "effect/Inspectable"
import * as Option from "effect/Option"
import { pipeArguments } from "effect/Pipeable"
import type * as Schema from "effect/Schema"
import * as Stream from "effect/Stream"

export interface Head {
  readonly request: HttpClientRequest.HttpClientRequest
  readonly url: URL
  readonly status: number
  /** If a header was sent several times, its value is a list. */
  readonly headers: Readonly<Record<string, string | Array<string> | undefined>>
}

type Body<A> = Effect.Effect<A, HttpClientError.HttpClientError>

export class UndiciResponse extends Inspectable.Class implements HttpClientResponse.HttpClientResponse {
  readonly [HttpIncomingMessage.TypeId]: typeof HttpIncomingMessage.TypeId = HttpIncomingMessage.TypeId
  readonly [HttpClientResponse.TypeId]: typeof HttpClientResponse.TypeId = HttpClientResponse.TypeId
  readonly request: HttpClientRequest.HttpClientRequest
  readonly status: number
  readonly headers: Headers.Headers
  readonly remoteAddress = Option.none<string>()
  readonly stream: Stream.Stream<Uint8Array, HttpClientError.HttpClientError>
  readonly #head: Head
  #bytes: Body<ArrayBuffer> | undefined

  constructor(
    head: Head,
    /** Makes the body as a stream. `onError` makes the stream's errors. */
    body: (
      onError: (cause: unknown) => HttpClientError.HttpClientError
    ) => Stream.Stream<Uint8Array, HttpClientError.HttpClientError>
  ) {
    super()
    this.#head = head
    this.request = head.request
    this.status = head.status
    this.headers = Headers.fromInput(head.headers)
    this.stream = body(this.#decodeError)
  }

  get url(): string {
    return this.#head.url.href.replace(/#.*/, "")
  }

  get cookies(): Cookies.Cookies {
    return Cookies.fromSetCookie(this.#head.headers["set-cookie"] ?? [])
  }

  /** Reads the body once and keeps its bytes, because the stream can be read only once. */
  get arrayBuffer(): Body<ArrayBuffer> {
    this.#bytes ??= Effect.runSync(Effect.cached(Stream.mkArrayBuffer(this.stream)))
    return this.#bytes
  }

  get text(): Body<string> {
    return Effect.map(this.arrayBuffer, (bytes) => new TextDecoder().decode(bytes))
  }

  get json(): Body<Schema.Json> {
    // oxlint-disable-next-line typescript/no-unsafe-return -- JSON.parse returns JSON
    return this.#parsed((text): Schema.Json => (text === "" ? null : JSON.parse(text)))
  }

  get urlParamsBody(): Body<UrlParams.UrlParams> {
    return this.#parsed((text) => UrlParams.fromInput(new URLSearchParams(text)))
  }

  get formData(): Body<FormData> {
    return Effect.flatMap(this.arrayBuffer, (bytes) =>
      Effect.tryPromise({
        // oxlint-disable-next-line typescript/no-deprecated -- the only parser of forms that the runtime has
        try: () => new Response(bytes, { headers: this.headers }).formData(),
        catch: this.#decodeError
      })
    )
  }

  get upgrade(): Effect.Effect<never, HttpClientError.HttpClientError> {
    return Effect.fail(
      new HttpClientError.HttpClientError({
        reason: new HttpClientError.StatusCodeError({
          request: this.request,
          response: this,
          description: "this client does not support HTTP upgrades"
        })
      })
    )
  }

  readonly #decodeError = (cause: unknown): HttpClientError.HttpClientError =>
    new HttpClientError.HttpClientError({
      reason: new HttpClientError.DecodeError({ request: this.request, response: this, cause })
    })

  #parsed<A>(parse: (text: string) => A): Body<A> {
    return Effect.flatMap(this.text, (text) => Effect.try({ try: () => parse(text), catch: this.#decodeError }))
  }

  override toJSON(): unknown {
    return HttpIncomingMessage.inspect(this, {
      _id: "effect/http/HttpClientResponse",
      request: this.request.toJSON(),
      status: this.status
    })
  }

  pipe() {
    return pipeArguments(this, arguments)
  }
}
