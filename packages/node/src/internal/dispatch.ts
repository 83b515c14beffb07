/**
 * An `HttpClient` that uses an undici dispatcher. It calls `dispatcher.dispatch` with a handler, because
 * `dispatcher.request` would add a Readable, which takes a fifth of the time of a large reply.
 */
import * as NodeStream from "@effect/platform-node/NodeStream"
import type * as Undici from "@effect/platform-node/Undici"
import { GradientClient } from "@effect-gradient/core"
import * as Arr from "effect/Array"
import * as Cause from "effect/Cause"
import * as Channel from "effect/Channel"
import * as Effect from "effect/Effect"
import * as Headers from "effect/http/Headers"
import * as HttpClient from "effect/http/HttpClient"
import * as HttpClientError from "effect/http/HttpClientError"
import type * as HttpClientRequest from "effect/http/HttpClientRequest"
import type * as HttpClientResponse from "effect/http/HttpClientResponse"
import type * as Pull from "effect/Pull"
import * as Predicate from "effect/Predicate"
import * as Scope from "effect/Scope"
import * as Stream from "effect/Stream"
import { Readable } from "node:stream"
import { decoded } from "./contentDecoding.ts"
import { userAgent } from "./userAgent.ts"
import { UndiciResponse } from "./UndiciResponse.ts"

type Request = HttpClientRequest.HttpClientRequest
type Failure = HttpClientError.HttpClientError

type ReplyHeaders = Readonly<Record<string, string | Array<string> | undefined>>

/**
 * A dispatcher. If `isForwarded` returns true, the request goes to a proxy without a tunnel, and the reply may come
 * from the proxy instead of the service. If `NO_PROXY` is set, `isForwarded` always returns false.
 */
export interface Sender {
  readonly dispatcher: Undici.Dispatcher
  readonly isForwarded: (url: URL) => boolean
}

/**
 * If more bytes than this have arrived but were not pulled, the body is paused. 64 KiB are about one read of a socket.
 */
const mostWaiting = 64 * 1024

/** Yields twice. In that time the end of a complete body can arrive after its last bytes. */
const twoTurns = Effect.andThen(Effect.yieldNow, Effect.yieldNow)

const transportError = (request: Request, cause: unknown) =>
  new HttpClientError.HttpClientError({ reason: new HttpClientError.TransportError({ request, cause }) })

const sentBody = Effect.fnUntraced(function* (request: Request) {
  const { body, headers } = request
  switch (body._tag) {
    case "Empty":
      return { body: null, headers }
    case "Uint8Array":
      return { body: body.body, headers }
    case "Stream":
      return { body: yield* NodeStream.toReadable(body.stream), headers }
    case "Raw":
      if (Predicate.isString(body.body) || body.body instanceof Readable) return { body: body.body, headers }
      return yield* new HttpClientError.HttpClientError({
        reason: new HttpClientError.EncodeError({ request, description: "this body cannot be sent over undici" })
      })
    case "FormData": {
      // `Response` sets the content type, which contains the boundary of the form.
      const encoded = new Response(body.formData)
      const type = encoded.headers.get("content-type") ?? ""
      const bytes = yield* Effect.promise(() => encoded.bytes())
      return { body: bytes, headers: Headers.set(headers, "content-type", type) }
    }
  }
})

/**
 * The chunks of a body that have arrived but were not pulled yet.
 *
 * V8 allocates a function that is assigned to a property among the old objects, and what it refers to stays until a
 * full collection. Effect does so with the function of each stream. So a body does not refer to its request after it
 * has ended. Otherwise hundreds of replies would wait for that collection.
 */
class Arrivals {
  #waiting: Array<Uint8Array> = []
  #waitingBytes = 0
  /** Pauses, resumes or aborts the request. Set from the head of the reply to the end of its body. */
  controller: Undici.Dispatcher.DispatchController | undefined
  /** Set when the body has ended. Contains the error if the body failed. */
  end: { readonly failure?: Error } | undefined
  /** Set while a pull waits. */
  #wake: (() => void) | undefined

  /** Adds a chunk, and returns whether there is room for more. Chunks that arrive together are pulled together. */
  add(chunk: Uint8Array): boolean {
    if (this.#waiting.push(chunk) === 1) queueMicrotask(() => this.#wake?.())
    this.#waitingBytes += chunk.length
    return this.#waitingBytes <= mostWaiting
  }

  finish(failure?: Error): void {
    if (this.end !== undefined) return
    this.end = failure === undefined ? {} : { failure }
    this.controller = undefined
    this.#wake?.()
  }

  /**
   * Pulls all waiting chunks, or waits for the next one. Resumes the request, because there is room for more chunks
   * then.
   */
  pull<E>(onError: (cause: unknown) => E): Pull.Pull<Arr.NonEmptyReadonlyArray<Uint8Array>, E> {
    const pull: Pull.Pull<Arr.NonEmptyReadonlyArray<Uint8Array>, E> = Effect.suspend(() => {
      const chunks = this.#waiting
      if (Arr.isArrayNonEmpty(chunks)) {
        this.#waiting = []
        this.#waitingBytes = 0
        if (this.controller?.paused === true) this.controller.resume()
        return Effect.succeed(chunks)
      }
      if (this.end === undefined) return Effect.andThen(this.#arrival, pull)
      return this.end.failure === undefined ? Cause.done() : Effect.fail(onError(this.end.failure))
    })
    return pull
  }

  readonly #arrival = Effect.callback<void>((resume) => {
    const wake = () => {
      this.#wake = undefined
      resume(Effect.void)
    }
    this.#wake = wake // V8 would allocate a function literal that is assigned directly among the old objects.
    return Effect.sync(() => {
      this.#wake = undefined
    })
  })
}

/** Makes the body as a stream. If the consumer stops before the end of the body, the connection is closed. */
const bodyStream = <E>(arrivals: Arrivals, onError: (cause: unknown) => E): Stream.Stream<Uint8Array, E> => {
  const abort = Effect.sync(() => arrivals.controller?.abort(new Error("the consumer of the body stopped early")))
  const close = Effect.suspend(() => (arrivals.end === undefined ? Effect.andThen(twoTurns, abort) : Effect.void))
  return Stream.fromChannel(
    Channel.fromTransform((_, scope) => Effect.as(Scope.addFinalizer(scope, close), arrivals.pull(onError)))
  )
}

/** Whether a reply counts as the refusal of a proxy: a 403 that is not JSON, because those of the service are JSON. */
const isProxyRefusal = (status: number, headers: ReplyHeaders) =>
  status === 403 && !/json/i.test(String(headers["content-type"]))

/** Sends one request. Returns the response when its headers have arrived. */
const send = (
  { dispatcher, isForwarded }: Sender,
  options: Undici.Dispatcher.DispatchOptions,
  request: Request,
  url: URL,
  signal: AbortSignal
) =>
  Effect.callback<HttpClientResponse.HttpClientResponse, Failure>((resume) => {
    const arrivals = new Arrivals()
    let controller: Undici.Dispatcher.DispatchController | undefined
    let aborted: Error | undefined
    let hasHead = false

    const abort = () => {
      aborted ??= new Error("the request was cancelled")
      if (arrivals.end === undefined) controller?.abort(aborted)
    }
    const finish = (failure?: Error) => {
      signal.removeEventListener("abort", abort)
      arrivals.finish(failure)
    }
    const fail = (cause: Error) => {
      // undici had not begun to send the request, so it is certain that nothing was charged for.
      if (controller === undefined) GradientClient.markNotSent(cause)
      // undici reports some replies as errors, such as a proxy's 407, but would continue to read their bodies.
      else if (!controller.aborted) controller.abort(cause)
      finish(cause)
      if (!hasHead) resume(Effect.fail(transportError(request, cause)))
    }

    signal.addEventListener("abort", abort)
    const handler: Undici.Dispatcher.DispatchHandler = {
      onRequestStart(started) {
        controller = started
        if (aborted !== undefined) started.abort(aborted)
      },
      onResponseStart(started, status, headers) {
        if (status < 200) return
        if (isForwarded(url) && isProxyRefusal(status, headers)) {
          return started.abort(new Error(`Proxy response (${status})`))
        }
        arrivals.controller = started
        const head = { request, url, status, headers }
        const response = new UndiciResponse(head, (onError) =>
          decoded(bodyStream(arrivals, onError), contentEncoding(headers), onError)
        )
        hasHead = true
        // The response is returned in a microtask, because a small body often arrives together with the headers. Then
        // reading it needs no timer: a small request takes 0.93 times the CPU time.
        queueMicrotask(() => resume(Effect.succeed(response)))
      },
      onResponseData(started, chunk) {
        if (!arrivals.add(chunk)) started.pause()
      },
      onResponseEnd: () => finish(),
      onResponseError: (_, error) => fail(error)
    }
    try {
      dispatcher.dispatch(options, handler)
    } catch (cause) {
      fail(cause instanceof Error ? cause : new Error(String(cause)))
    }
    return Effect.sync(abort)
  })

/** Returns the `content-encoding`. If the header was sent several times, its values form one list. */
const contentEncoding = ({ "content-encoding": value }: ReplyHeaders) =>
  Array.isArray(value) ? value.join(",") : value

/**
 * Makes the client on this dispatcher. undici's own timeouts for headers and bodies are off, because the core package
 * has timeouts.
 */
export const make = (sender: Sender): HttpClient.HttpClient =>
  HttpClient.make((request, url, signal) =>
    Effect.flatMap(sentBody(request), (sent) => {
      const options = {
        body: sent.body,
        headers: { "user-agent": userAgent, ...sent.headers },
        method: request.method,
        origin: url.origin,
        path: url.pathname + url.search,
        headersTimeout: 0,
        bodyTimeout: 0
      }
      return send(sender, options, request, url, signal)
    })
  )
