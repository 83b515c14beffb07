/**
 * An HttpClient that sends nothing anywhere: it answers from a script, on the Clock alone, and records the requests that it
 * saw. The whole library runs on it, so what a test sees is what an application would.
 *
 * A `Step` is an Effect, so that Effect's own functions shape it: `Effect.delay(step, "30 seconds")` answers late,
 * `Effect.never` does not answer, and what else a step does is done when its request comes.
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
import * as DateTime from "effect/DateTime"
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
import { rateLimitHeaders } from "../internal/responseHead.ts"
import type * as RateLimit from "../RateLimit.ts"
import * as RecordedRequest from "./RecordedRequest.ts"

/**
 * What comes back for a request: a head, and a body in chunks.
 *
 * @category models
 */
export interface Answer {
  readonly status: number
  readonly headers: Readonly<Record<string, string>>
  readonly chunks: ReadonlyArray<Uint8Array>
  readonly interval: Duration.Input
  readonly end: "close" | "reset" | "hang"
}

/**
 * How one request is answered. One that fails breaks the connection before the head of an answer, with that error as
 * the cause.
 *
 * @category models
 */
export type Step = Effect.Effect<Answer, Error>

/**
 * One step for each request in order, or a function that chooses the step; `number` counts the requests from 0.
 *
 * @category models
 */
export type Script = ReadonlyArray<Step> | ((request: RecordedRequest.RecordedRequest, number: number) => Step)

/**
 * A request that came, and whether the caller left it: its scope ended before the answer did.
 *
 * @category models
 */
export interface SeenRequest extends RecordedRequest.RecordedRequest {
  readonly aborted: boolean
}

/**
 * How an answer is sent.
 *
 * @category models
 */
export interface AnswerOptions {
  /** Default: 200. */
  readonly status?: number | undefined
  /** By their names in lower case, beside the `content-type` of what is sent. */
  readonly headers?: Readonly<Record<string, string>> | undefined
  /** Bytes in a chunk, at most. Default: each event, or the whole body, is one chunk. */
  readonly chunkSize?: number | undefined
  /** Before each chunk, on the Clock. Default: 0. */
  readonly interval?: Duration.Input | undefined
  /** How many bytes of the body are sent; where it is negative, how many are not. Default: all. */
  readonly cutAt?: number | undefined
  /** What happens then: the body ends as it should, the connection breaks, or nothing more comes. Default: `close`. */
  readonly end?: "close" | "reset" | "hang" | undefined
}

/**
 * The requests that a test transport saw.
 *
 * @category services
 */
export class TestTransport extends Context.Service<
  TestTransport,
  { readonly requests: Effect.Effect<ReadonlyArray<SeenRequest>> }
>()("@effect-gradient/core/testing/TestTransport") {}

/**
 * The requests so far, in order, without their secrets.
 *
 * @category accessors
 */
export const requests: Effect.Effect<ReadonlyArray<SeenRequest>, never, TestTransport> = Effect.flatMap(
  TestTransport,
  (transport) => transport.requests
)

const bytesOf = (text: string): Uint8Array => HttpBody.text(text).body

/** The first `length` bytes of the parts. */
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

const answer = (parts: ReadonlyArray<Uint8Array>, contentType: string, options: AnswerOptions): Answer => {
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
 * Answers with this JSON, text or bytes.
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
 */
export const respond = (
  options: AnswerOptions & ({ readonly json: unknown } | { readonly text: string } | { readonly bytes: Uint8Array })
): Step => {
  if ("bytes" in options) return Effect.succeed(answer([options.bytes], "application/octet-stream", options))
  if ("text" in options) return Effect.succeed(answer([bytesOf(options.text)], "text/plain", options))
  return Effect.sync(() => answer([bytesOf(JSON.stringify(options.json))], "application/json", options))
}

const encodeResponse = Schema.encodeEffect(ImageGenerateResponse.Json)

/** The headers of one limit. */
const windowHeaders = (window: RateLimit.Window | undefined, nameOf: (field: string) => string) => ({
  [nameOf("limit")]: window?.limit,
  [nameOf("remaining")]: window?.remaining,
  [nameOf("reset")]: window?.resetAt && DateTime.toEpochMillis(window.resetAt) / 1000
})

/** The headers that a response and a `Completed` were read from. */
const headOf = ({
  rateLimit,
  requestId
}: Pick<ImageGenerateResponse.ImageGenerateResponse, "rateLimit" | "requestId">): Record<string, string> => {
  const headers: Record<string, string | number | undefined> = {
    "x-request-id": requestId,
    ...windowHeaders(rateLimit, rateLimitHeaders.requests),
    ...windowHeaders(rateLimit?.tokensPerMinute, rateLimitHeaders.tokensPerMinute),
    ...windowHeaders(rateLimit?.tokensPerDay, rateLimitHeaders.tokensPerDay)
  }
  return Object.fromEntries(
    Object.entries(headers).flatMap(([name, value]) => (value === undefined ? [] : [[name, String(value)]]))
  )
}

/** A member that the wire does not have is left out. */
const wireText = (json: Schema.Json): string =>
  JSON.stringify(json, (name, value: unknown) => (name === "requestId" || name === "rateLimit" ? undefined : value))

/**
 * Answers `generate` with this response, on the wire.
 *
 * @category steps
 */
export const response = (reply: ImageGenerateResponse.ImageGenerateResponse, options: AnswerOptions = {}): Step =>
  encodeResponse(reply).pipe(
    Effect.orDie,
    Effect.map((json) =>
      answer([bytesOf(wireText(json))], "application/json", {
        ...options,
        headers: { ...headOf(reply), ...options.headers }
      })
    )
  )

/** A string is sent as it is. */
const eventText = (event: ImageGenStreamEvent.ImageGenStreamEvent | string): string =>
  typeof event === "string" ? event : ImageGenStreamEvent.toServerSentEvent(event)

/**
 * Answers `generateStream` with these events, on the wire. A string is sent as it is: a comment (`": ping\n\n"`), or
 * an event that the service would not send.
 *
 * @example
 * ```ts
 * import { TestImages, TestTransport } from "@effect-gradient/core/testing"
 *
 * const events = TestImages.events(TestImages.webp, TestImages.png) // a partial image, and a complete one
 *
 * TestTransport.events(events, { interval: "10 seconds" })
 * TestTransport.events(events, { cutAt: -5, end: "reset" }) // breaks within the last event
 * ```
 *
 * @category steps
 */
export const events = (
  parts: ReadonlyArray<ImageGenStreamEvent.ImageGenStreamEvent | string>,
  options: AnswerOptions = {}
): Step => {
  const completed = parts.find((part) => part instanceof ImageGenStreamEvent.Completed)
  const headers = { ...headOf(completed ?? {}), ...options.headers }
  return Effect.sync(() => answer(parts.map(eventText).map(bytesOf), "text/event-stream", { ...options, headers }))
}

/**
 * The connection breaks, and it is proven that nothing was sent: `ConnectionError`, which nobody pays for.
 *
 * @category steps
 */
export const failNotSent = (cause = new Error("the test transport does not connect")): Step =>
  Effect.suspend(() => {
    const error = new Error(cause.message, { cause })
    GradientClient.markNotSent(error)
    return Effect.fail(error)
  })

/**
 * The connection breaks before an answer, and an image may have been made: `DisconnectedError`.
 *
 * @category steps
 */
export const failSent = (cause = new Error("the test transport hangs up")): Step => Effect.fail(cause)

/** The body on its way; `onEnd` is called when there is nothing left that a caller could miss. */
const bodyOf = ({ chunks, end, interval }: Answer, onEnd: () => void): Stream.Stream<Uint8Array, Error> => {
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

/** What is used of an AbortSignal, whose type only some platforms have. */
interface Signal {
  addEventListener(type: "abort", listener: () => void): void
}

/** A request, and how far it came. */
interface Exchange {
  readonly request: RecordedRequest.RecordedRequest
  ended: boolean
  aborted: boolean
}

const endOfScript = (length: number, { method, url }: RecordedRequest.RecordedRequest) =>
  new Error(`TestTransport: the script has ${length} steps, and request ${length + 1} came: ${method} ${url}`)

const make = (script: Script) => {
  const seen: Array<Exchange> = []

  const stepOf = (request: RecordedRequest.RecordedRequest, number: number): Step => {
    if (typeof script === "function") return script(request, number)
    return script[number] ?? Effect.die(endOfScript(script.length, request))
  }

  const client = HttpClient.make((request, _url, signal: Signal) =>
    Effect.gen(function* () {
      const recorded = yield* RecordedRequest.fromClientRequest(request)
      const exchange: Exchange = { request: recorded, ended: false, aborted: false }
      const number = seen.push(exchange) - 1
      const end = () => {
        exchange.ended = true
      }
      signal.addEventListener("abort", () => {
        exchange.aborted = !exchange.ended
      })
      const answered = yield* Effect.onError(stepOf(recorded, number), (cause) =>
        Cause.hasInterrupts(cause) ? Effect.void : Effect.sync(end)
      )
      return HttpServerResponse.toClientResponse(
        HttpServerResponse.stream(bodyOf(answered, end), {
          status: answered.status,
          headers: Headers.fromInput(answered.headers)
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
 * The transport alone. A request after the last step of a script is a defect, which says so.
 *
 * @category layers
 */
export const layer = (script: Script): Layer.Layer<HttpClient.HttpClient | TestTransport> =>
  Layer.effectContext(Effect.sync(() => make(script)))

/**
 * The transport with `Images` on it: nothing left to provide.
 *
 * @category layers
 */
export const layerImages = (
  script: Script,
  options: GradientClient.Options = {}
): Layer.Layer<Images.Images | TestTransport, GradientError> =>
  Images.layer.pipe(Layer.provide(GradientClient.layer(options)), Layer.provideMerge(layer(script)))
