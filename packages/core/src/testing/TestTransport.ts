/**
 * An HttpClient for tests. It sends nothing, replies from a script, and records the requests. Its delays use the Clock,
 * so `TestClock` controls them. The library itself is not mocked: replies are encoded and decoded as on the wire.
 *
 * A `Step` is an Effect that returns the reply. `Effect.delay(step, "30 seconds")` replies late, and `Effect.never`
 * does not reply. A step runs when its request arrives.
 *
 * @example
 * ```ts
 * import { Images } from "@effect-gradient/core"
 * import { TestTransport } from "@effect-gradient/core/testing"
 * import { Effect } from "effect"
 *
 * const program = Effect.gen(function* () {
 *   const error = yield* Effect.flip(Images.generate({ prompt: "A sea otter" }))
 *   const requests = yield* TestTransport.requests
 *   return [error.reason._tag, requests.length] // ["AuthenticationError", 1]
 * })
 *
 * program.pipe(
 *   Effect.provide(
 *     TestTransport.layerImages([TestTransport.respond({ status: 401, json: { id: "unauthorized", message: "No" } })])
 *   )
 * )
 * ```
 */
import * as Cause from "effect/Cause"
import * as Context from "effect/Context"
import type * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as Headers from "effect/http/Headers"
import * as HttpBody from "effect/http/HttpBody"
import * as HttpClient from "effect/http/HttpClient"
import * as HttpClientError from "effect/http/HttpClientError"
import * as HttpServerResponse from "effect/http/HttpServerResponse"
import * as Layer from "effect/Layer"
import * as Schema from "effect/Schema"
import * as Stream from "effect/Stream"
import * as GradientClient from "../GradientClient.ts"
import type { GradientError } from "../GradientError.ts"
import * as ImageGenerateResponse from "../ImageGenerateResponse.ts"
import * as ImageGenStreamEvent from "../ImageGenStreamEvent.ts"
import * as Images from "../Images.ts"
import { headersOf } from "../internal/responseHead.ts"
import * as RecordedRequest from "./RecordedRequest.ts"

/**
 * The reply to a request: its status, its headers, its body in chunks, the wait before each chunk (`interval`), and
 * what happens after the body (`end`).
 *
 * @category models
 * @since 0.1.0
 */
export interface Reply {
  readonly status: number
  readonly headers: Readonly<Record<string, string>>
  readonly chunks: ReadonlyArray<Uint8Array>
  readonly interval: Duration.Input
  readonly end: "close" | "reset" | "hang"
}

/**
 * An Effect that returns the reply to one request. If it fails, the connection breaks before the reply's headers
 * arrive, and its error is the cause of the failure.
 *
 * @category models
 * @since 0.1.0
 */
export type Step = Effect.Effect<Reply, Error>

/**
 * The steps of a test transport: a list with one step for each request, in order, or a function that returns the step
 * for a request. `number` is the number of the request, from 0.
 *
 * @category models
 * @since 0.1.0
 */
export type Script = ReadonlyArray<Step> | ((request: RecordedRequest.RecordedRequest, number: number) => Step)

/**
 * A recorded request. `aborted` is true if, before the reply ended, the caller was interrupted, or closed the reply's
 * body or the scope of the request.
 *
 * @category models
 * @since 0.1.0
 */
export interface SeenRequest extends RecordedRequest.RecordedRequest {
  readonly aborted: boolean
}

/**
 * Options of a reply.
 *
 * @category models
 * @since 0.1.0
 */
export interface ReplyOptions {
  /** Default: 200. */
  readonly status?: number | undefined
  /** Headers of the reply, with names in lower case. If `content-type` is not set here, it depends on the body. */
  readonly headers?: Readonly<Record<string, string>> | undefined
  /** The most bytes in a chunk. Default: the whole body is one chunk, or each event if the reply is a stream. */
  readonly chunkSize?: number | undefined
  /** The wait before each chunk is sent. Default: 0. */
  readonly interval?: Duration.Input | undefined
  /**
   * Sends only this many bytes of the body. If it is negative, leaves out that many bytes at the end of the body.
   * Default: all.
   */
  readonly cutAt?: number | undefined
  /**
   * What happens after the body: `close` ends it, `reset` breaks the connection, `hang` sends nothing more. Default:
   * `close`.
   */
  readonly end?: "close" | "reset" | "hang" | undefined
}

/**
 * The recorded requests of a test transport.
 *
 * @category services
 * @since 0.1.0
 */
export class TestTransport extends Context.Service<
  TestTransport,
  { readonly requests: Effect.Effect<ReadonlyArray<SeenRequest>> }
>()("@effect-gradient/core/testing/TestTransport") {}

/**
 * The requests so far, in order. Values that are recognised as secrets are redacted.
 *
 * @category accessors
 * @since 0.1.0
 */
export const requests: Effect.Effect<ReadonlyArray<SeenRequest>, never, TestTransport> = Effect.flatMap(
  TestTransport,
  (transport) => transport.requests
)

const bytesOf = (text: string): Uint8Array => HttpBody.text(text).body

/** The first `length` bytes of all parts together. */
const cut = (parts: ReadonlyArray<Uint8Array>, length: number): ReadonlyArray<Uint8Array> => {
  let left = length
  return parts.map((part) => {
    const kept = part.subarray(0, Math.max(0, left))
    left -= part.length
    return kept
  })
}

const slices = (part: Uint8Array, size: number): ReadonlyArray<Uint8Array> =>
  Array.from({ length: Math.ceil(part.length / size) }, (_, index) => part.subarray(index * size, (index + 1) * size))

const makeReply = (parts: ReadonlyArray<Uint8Array>, contentType: string, options: ReplyOptions): Reply => {
  const length = parts.reduce((sum, part) => sum + part.length, 0)
  const { chunkSize = length, cutAt = length } = options
  return {
    status: options.status ?? 200,
    headers: { "content-type": contentType, ...options.headers },
    chunks: cut(parts, cutAt < 0 ? length + cutAt : cutAt).flatMap((part) => slices(part, chunkSize)),
    interval: options.interval ?? 0,
    end: options.end ?? "close"
  }
}

/**
 * Replies with this JSON, text or bytes.
 *
 * @example
 * ```ts
 * import { TestTransport } from "@effect-gradient/core/testing"
 *
 * TestTransport.respond({ status: 429, headers: { "retry-after": "3" }, json: { id: "too_many_requests" } })
 * TestTransport.respond({ status: 502, headers: { "content-type": "text/html" }, text: "<title>Bad Gateway</title>" })
 * ```
 *
 * @category steps
 * @since 0.1.0
 */
export const respond = (
  options: ReplyOptions & ({ readonly json: unknown } | { readonly text: string } | { readonly bytes: Uint8Array })
): Step => {
  if ("bytes" in options) return Effect.succeed(makeReply([options.bytes], "application/octet-stream", options))
  if ("text" in options) return Effect.succeed(makeReply([bytesOf(options.text)], "text/plain", options))
  return Effect.sync(() => makeReply([bytesOf(JSON.stringify(options.json))], "application/json", options))
}

const encodeResponse = Schema.encodeEffect(ImageGenerateResponse.Json)

/** The JSON as text, without `requestId` and `rateLimit`, which are headers on the wire. */
const wireText = (json: Schema.Json): string =>
  JSON.stringify(json, (name, value: unknown) => (name === "requestId" || name === "rateLimit" ? undefined : value))

/**
 * Replies to a call of `Images.generate` with this response.
 *
 * @category steps
 * @since 0.1.0
 */
export const response = (reply: ImageGenerateResponse.ImageGenerateResponse, options: ReplyOptions = {}): Step =>
  encodeResponse(reply).pipe(
    Effect.orDie,
    Effect.map((json) =>
      makeReply([bytesOf(wireText(json))], "application/json", {
        ...options,
        headers: { ...headersOf(reply), ...options.headers }
      })
    )
  )

/** The text of an event on the wire. A string is returned unchanged. */
const eventText = (event: ImageGenStreamEvent.ImageGenStreamEvent | string): string =>
  typeof event === "string" ? event : ImageGenStreamEvent.toServerSentEvent(event)

/**
 * Replies to a call of `Images.generateStream` with these events. A string is sent unchanged, for example a comment
 * (`": ping\n\n"`) or an invalid event.
 *
 * @example
 * ```ts
 * import { TestImages, TestTransport } from "@effect-gradient/core/testing"
 *
 * const events = TestImages.makeEvents(TestImages.webp, TestImages.png) // a partial image, and a complete one
 *
 * TestTransport.events(events, { interval: "10 seconds" })
 * TestTransport.events(events, { cutAt: -5, end: "reset" }) // breaks within the last event
 * ```
 *
 * @category steps
 * @since 0.1.0
 */
export const events = (
  parts: ReadonlyArray<ImageGenStreamEvent.ImageGenStreamEvent | string>,
  options: ReplyOptions = {}
): Step => {
  const completed = parts.find((part) => part instanceof ImageGenStreamEvent.Completed)
  const headers = { ...headersOf(completed ?? {}), ...options.headers }
  return Effect.sync(() => makeReply(parts.map(eventText).map(bytesOf), "text/event-stream", { ...options, headers }))
}

/**
 * Breaks the connection before the request is sent. Without `cause`, the attempt fails with `ConnectionError`, which is
 * never charged for, and which the default retry policy retries with the script's next step.
 *
 * @category steps
 * @since 0.1.0
 */
export const failNotSent = (cause = new Error("the test transport does not connect")): Step =>
  Effect.suspend(() => {
    const error = new Error(cause.message, { cause })
    GradientClient.markNotSent(error)
    return Effect.fail(error)
  })

/**
 * Breaks the connection after the request was sent. Without `cause`, the attempt fails with `DisconnectedError`, which
 * may have been charged for.
 *
 * @category steps
 * @since 0.1.0
 */
export const failSent = (cause = new Error("the test transport hangs up")): Step => Effect.fail(cause)

/**
 * The body as a stream. Calls `onEnd` at the last chunk of a body that closes, or when the connection breaks (never for
 * `hang`), so that a scope that is closed later does not count as an abort.
 */
const bodyStream = ({ chunks, end, interval }: Reply, onEnd: () => void): Stream.Stream<Uint8Array, Error> => {
  const sent = Stream.fromIterable(chunks.entries()).pipe(
    Stream.mapEffect(([index, chunk]) =>
      Effect.map(Effect.sleep(interval), () => {
        if (end === "close" && index === chunks.length - 1) onEnd()
        return chunk
      })
    )
  )
  if (end === "hang") return Stream.concat(sent, Stream.never)
  const ending = Stream.suspend(() => {
    onEnd()
    return end === "close" ? Stream.empty : Stream.fail(new Error("the test transport resets the connection"))
  })
  return Stream.concat(sent, ending)
}

/**
 * The part of `AbortSignal` that this module uses. It is declared here because core is compiled without the types of
 * any platform.
 */
interface Signal {
  addEventListener(type: "abort", listener: () => void): void
}

/** A request, whether its reply has ended, and whether its caller aborted it. */
interface RequestState {
  readonly request: RecordedRequest.RecordedRequest
  ended: boolean
  aborted: boolean
}

const endOfScript = (length: number, number: number, { method, url }: RecordedRequest.RecordedRequest) =>
  new Error(`TestTransport: the script has no step for request ${number + 1}, only for ${length}: ${method} ${url}`)

const make = (script: Script) => {
  const seen: Array<RequestState> = []

  const stepOf = (request: RecordedRequest.RecordedRequest, number: number): Step => {
    if (typeof script === "function") return script(request, number)
    return script[number] ?? Effect.die(endOfScript(script.length, number, request))
  }

  const client = HttpClient.make((request, _url, signal: Signal) =>
    Effect.gen(function* () {
      const recorded = yield* RecordedRequest.fromClientRequest(request)
      const state: RequestState = { request: recorded, ended: false, aborted: false }
      const number = seen.push(state) - 1
      const end = () => {
        state.ended = true
      }
      const leave = () => {
        state.aborted = !state.ended
      }
      signal.addEventListener("abort", leave)
      const reply = yield* Effect.onError(stepOf(recorded, number), (cause) =>
        Cause.hasInterrupts(cause) ? Effect.void : Effect.sync(end)
      )
      return HttpServerResponse.toClientResponse(
        HttpServerResponse.stream(Stream.ensuring(bodyStream(reply, end), Effect.sync(leave)), {
          status: reply.status,
          headers: Headers.fromInput(reply.headers)
        }),
        { request }
      )
    }).pipe(
      Effect.mapError(
        (cause) =>
          new HttpClientError.HttpClientError({ reason: new HttpClientError.TransportError({ request, cause }) })
      )
    )
  )

  const transport = TestTransport.of({
    requests: Effect.sync(() => seen.map(({ aborted, request }) => ({ ...request, aborted })))
  })
  return Context.make(HttpClient.HttpClient, client).pipe(Context.add(TestTransport, transport))
}

/**
 * Provides only the transport. If a request arrives after the last step of the script, the call dies.
 *
 * @category layers
 * @since 0.1.0
 */
export const layer = (script: Script): Layer.Layer<HttpClient.HttpClient | TestTransport> =>
  Layer.effectContext(Effect.sync(() => make(script)))

/**
 * Provides the transport, and `Images` that sends its requests through it.
 *
 * @category layers
 * @since 0.1.0
 */
export const layerImages = (
  script: Script,
  options: GradientClient.Options = {}
): Layer.Layer<Images.Images | TestTransport, GradientError> =>
  Images.layer.pipe(Layer.provide(GradientClient.layer(options)), Layer.provideMerge(layer(script)))
