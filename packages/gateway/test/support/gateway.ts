/** Starts a gateway on loopback, and has functions that call it. */
import { assert } from "@effect/vitest"
import { Attempt, GradientClient, type GradientError } from "@effect-gradient/core"
import { Attempts, Callers, ImagesGateway } from "@effect-gradient/gateway"
import { NodeImages } from "@effect-gradient/node"
import { NodeHttpServer } from "@effect/platform-node"
import { Effect, Layer, Logger, Redacted, Schema } from "effect"
import { HttpRouter, HttpServer } from "effect/http"
import { RateLimiter } from "effect/persistence"
import { createServer } from "node:http"
import type * as http from "node:http"
import { png, responseBody } from "../../../node/test/support/server.ts"

export const realKey = "sk-do-the-real-key"
export const alice = "alices-key"
export const bob = "bobs-key"

export interface GatewayOptions extends ImagesGateway.Options {
  /** The base URL of the service. */
  readonly upstream: string
  readonly client?: GradientClient.Options
  /** Default: `Attempts.layerOnce`. */
  readonly attempts?: Layer.Layer<Attempts.Attempts, GradientError.GradientError, GradientClient.GradientClient>
  /** Where images of callers are counted. Default: in memory. */
  readonly limiterStore?: Layer.Layer<RateLimiter.RateLimiterStore>
  /** Functions that run around each attempt. */
  readonly around?: Attempt.Entry
  /** Receives each line of the gateway's log. */
  readonly log?: (line: string) => void
}

/** Starts a gateway, which ends when the scope closes. Returns its base URL. */
export const gatewayTo = Effect.fnUntraced(function* ({
  around = {},
  attempts,
  upstream,
  client,
  limiterStore = RateLimiter.layerStoreMemory,
  log,
  ...options
}: GatewayOptions) {
  const gateway = ImagesGateway.layer(options).pipe(
    Layer.provide([
      Callers.layerKeys([Redacted.make(alice), Redacted.make(bob)]),
      attempts ?? Attempts.layerOnce,
      RateLimiter.layer.pipe(Layer.provide(limiterStore)),
      Layer.succeed(Attempt.Around, [around])
    ]),
    Layer.provide(GradientClient.layer({ baseUrl: upstream, modelAccessKey: Redacted.make(realKey), ...client })),
    Layer.provide(NodeImages.layerHttpClient())
  )
  const server = createServer()
  const context = yield* HttpRouter.serve(gateway, { disableLogger: true, disableListenLog: true }).pipe(
    Layer.provideMerge(
      NodeHttpServer.layer(() => server, { host: "127.0.0.1", port: 0, disablePreemptiveShutdown: true })
    ),
    Layer.provideMerge(Logger.layer([Logger.map(Logger.formatJson, (line) => log?.(line))])),
    Layer.build
  )
  // This finalizer is added last, so it runs first. Otherwise an open connection would keep the server from closing.
  yield* Effect.addFinalizer(() => Effect.sync(() => server.closeAllConnections()))
  return yield* HttpServer.addressFormattedWith((address) => Effect.succeed(`${address}/v1`)).pipe(
    Effect.provide(context)
  )
})

export interface Call {
  readonly key?: string | undefined
  readonly headers?: Readonly<Record<string, string>>
  /** A string or a stream is sent as it is. Any other value is sent as JSON. */
  readonly body?: unknown
  readonly signal?: AbortSignal
}

/** Sends a POST for images to the gateway. Succeeds when the headers of the response have arrived. */
export const call = (baseUrl: string, { body = { prompt: "A sea otter" }, headers, key = alice, signal }: Call = {}) =>
  Effect.promise(() =>
    fetch(`${baseUrl}/images/generations`, {
      method: "POST",
      headers: {
        "content-type": "application/json",
        ...(key === "" ? {} : { authorization: `Bearer ${key}` }),
        ...headers
      },
      body: body instanceof ReadableStream || typeof body === "string" ? body : JSON.stringify(body),
      ...(body instanceof ReadableStream ? { duplex: "half" } : {}),
      signal: signal ?? null
    })
  )

export const join = (
  baseUrl: string,
  id: string,
  { key = alice, stream = false, headers, signal }: { stream?: boolean } & Omit<Call, "body"> = {}
) =>
  Effect.promise(() =>
    fetch(`${baseUrl}/images/generations/${id}`, {
      headers: {
        authorization: `Bearer ${key}`,
        accept: stream ? "text/event-stream" : "application/json",
        ...headers
      },
      signal: signal ?? null
    })
  )

/**
 * Makes a function that reads a body in parts. Each call returns the text up to and including `until`, and throws if
 * the body ends before that.
 */
export const reader = (response: Response) => {
  const chunks = response.body?.pipeThrough(new TextDecoderStream()).getReader()
  let text = ""
  return (until: string) =>
    Effect.promise(async () => {
      const parts = [text]
      // Only the end is searched, because searching all of a large image again for each chunk takes minutes.
      for (let tail = text; !tail.includes(until);) {
        const next = await chunks?.read()
        if (next?.value === undefined) throw new Error(`the body ended at ${JSON.stringify(parts.join(""))}`)
        parts.push(next.value)
        tail = tail.slice(-until.length) + next.value
      }
      text = parts.join("")
      const end = text.indexOf(until) + until.length
      const read = text.slice(0, end)
      text = text.slice(end)
      return read
    })
}

export const image = png(200_000)

const ErrorBody = Schema.Struct({
  error: Schema.Struct({
    message: Schema.String,
    type: Schema.String,
    param: Schema.NullOr(Schema.String),
    code: Schema.NullOr(Schema.String)
  })
})
export const decodeError = Schema.decodeUnknownEffect(Schema.fromJsonString(ErrorBody), { onExcessProperty: "error" })

export const textOf = (response: Response) => Effect.promise(() => response.text())

/**
 * Sends a request that is refused. Returns the status, the headers and the error. Asserts that the error has the form
 * of the API.
 */
export const refusal = (baseUrl: string, options?: Call) =>
  Effect.gen(function* () {
    const response = yield* call(baseUrl, options)
    assert.strictEqual(response.headers.get("content-type"), "application/json")
    assert.match(response.headers.get("x-request-id") ?? "", /^[0-9a-f-]{36}$/)
    const { error } = yield* decodeError(yield* textOf(response))
    return { status: response.status, headers: response.headers, ...error }
  })

export const answerImages = (_: http.IncomingMessage, response: http.ServerResponse) => {
  response.setHeader("content-type", "application/json")
  response.end(responseBody(image))
}

/**
 * Makes a handler that sends the headers of a stream and adds the response to `open`, so that a test can write the rest
 * of the stream.
 */
export const streaming = () => {
  const open: Array<http.ServerResponse> = []
  const answer = (_: http.IncomingMessage, response: http.ServerResponse) => {
    response.writeHead(200, { "content-type": "text/event-stream" })
    response.flushHeaders()
    open.push(response)
  }
  return { open, answer }
}

export const asStream = { prompt: "A sea otter", stream: true }
