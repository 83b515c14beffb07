import { assert, describe, it, vi } from "@effect/vitest"
import { Images, RetryPolicy } from "@effect-gradient/core"
import { NodeImages } from "@effect-gradient/node"
import { Effect, Fiber, Redacted, Schema, Stream } from "effect"
import { spawn } from "node:child_process"
import dns from "node:dns"
import { once } from "node:events"
import type { ServerResponse } from "node:http"
import { createRequire } from "node:module"
import { setImmediate } from "node:timers/promises"
import { inspect } from "node:util"
import { setFlagsFromString } from "node:v8"
import { runInNewContext } from "node:vm"
import { Worker } from "node:worker_threads"
import { gzipSync } from "node:zlib"
import { completed, eventually, partialImage, png, responseBody, serve, tcp } from "./support/server.ts"

const { version } = Schema.decodeUnknownSync(Schema.Struct({ version: Schema.String }))(
  createRequire(import.meta.url)("@effect-gradient/node/package.json")
)
const image = png(200_000)
const params = { prompt: "A sea otter" }

const fail = (baseUrl: string, options: NodeImages.TransportOptions = {}) =>
  Images.generate(params, { retry: RetryPolicy.none }).pipe(Effect.flip, Effect.provide(layer(baseUrl, options)))

const layer = (baseUrl: string, options: NodeImages.TransportOptions = {}) => NodeImages.layer({ baseUrl, ...options })

describe("NodeImages.layer", () => {
  it.live("sends one request over HTTP/1.1 without asking for compression, and returns the bytes", () =>
    Effect.gen(function* () {
      const server = yield* serve((request, response) => {
        assert.strictEqual(request.httpVersion, "1.1")
        response.setHeader("content-type", "application/json")
        response.end(responseBody(image))
      })
      const response = yield* Images.generate(params).pipe(Effect.provide(layer(server.baseUrl)))
      assert.deepStrictEqual(Buffer.from(response.data[0].bytes), image)
      assert.strictEqual(server.requests.length, 1)
      assert.isUndefined(server.requests[0]?.headers["accept-encoding"])
      assert.isUndefined(server.requests[0]?.headers["traceparent"])
      assert.isUndefined(server.requests[0]?.headers["b3"])
      assert.isUndefined(server.requests[0]?.headers.authorization)
    }).pipe(Effect.scoped)
  )

  it.live("decodes a content-encoding that was not requested", () =>
    Effect.gen(function* () {
      const server = yield* serve((_, response) => {
        response.setHeader("content-encoding", "gzip")
        response.end(gzipSync(responseBody(image)))
      })
      const response = yield* Images.generate(params).pipe(Effect.provide(layer(server.baseUrl)))
      assert.deepStrictEqual(Buffer.from(response.data[0].bytes), image)
    }).pipe(Effect.scoped)
  )

  it.live("a content-encoding that cannot be decoded is InvalidResponseError, and shows no key", () =>
    Effect.gen(function* () {
      const server = yield* serve((_, response) => {
        response.setHeader("content-encoding", "gzip")
        response.end(gzipSync(responseBody(image)).fill(0, 20, 60))
      })
      const key = "sk-do-this-is-a-secret"
      const error = yield* Images.generate(params).pipe(
        Effect.flip,
        Effect.provide(NodeImages.layer({ baseUrl: server.baseUrl, modelAccessKey: Redacted.make(key) }))
      )
      assert.strictEqual(error.reason._tag, "InvalidResponseError")
      assert.notInclude(inspect(error, { depth: 50, showHidden: true }), key)
    }).pipe(Effect.scoped)
  )

  it.live("ignores the content-encoding of a reply without a body", () =>
    Effect.gen(function* () {
      const server = yield* serve((_, response) => {
        response.writeHead(204, { "content-encoding": "gzip" }).end()
      })
      assert.strictEqual((yield* fail(server.baseUrl)).reason._tag, "InvalidResponseError")
    }).pipe(Effect.scoped)
  )

  it.live("a header that undici does not send is refused", () =>
    Effect.gen(function* () {
      const server = yield* serve((_, response) => response.end(responseBody(image)))
      const error = yield* Images.generate(params, { headers: { "transfer-encoding": "chunked" } }).pipe(
        Effect.flip,
        Effect.provide(layer(server.baseUrl))
      )
      assert.strictEqual(error.reason._tag, "InvalidParamsError")
      assert.strictEqual(server.requests.length, 0)
    }).pipe(Effect.scoped)
  )

  it.live("sends its name and version as User-Agent, unless another is set", () =>
    Effect.gen(function* () {
      const server = yield* serve((_, response) => response.end(responseBody(image)))
      yield* Images.generate(params).pipe(
        Effect.andThen(Images.generate(params, { headers: { "User-Agent": "otter/1" } })),
        Effect.provide(layer(server.baseUrl))
      )
      assert.deepStrictEqual(
        server.requests.map(({ headers }) => headers["user-agent"]),
        [`effect-gradient/${version}`, "otter/1"]
      )
    }).pipe(Effect.scoped)
  )

  it.live("connects to a host with one working address, which accepts after 250 ms", () =>
    Effect.gen(function* () {
      const { port } = yield* slowToAccept
      // On Linux, the second address refuses connections at once, because nothing listens there.
      const addresses = [
        { address: "127.0.0.1", family: 4 },
        { address: "127.0.0.2", family: 4 }
      ]
      const lookup = vi.spyOn(dns, "lookup").mockImplementation((...given: ReadonlyArray<unknown>) => {
        const callback = given.at(-1)
        if (typeof callback === "function") Reflect.apply(callback, undefined, [null, addresses])
      })
      yield* Effect.addFinalizer(() => Effect.sync(() => lookup.mockRestore()))
      const { data } = yield* Images.generate(params, { retry: RetryPolicy.none }).pipe(
        Effect.provide(layer(`http://service.test:${port}/v1`))
      )
      assert.strictEqual(data[0].mediaType, "image/png")
    }).pipe(Effect.scoped)
  )

  it.live("does not follow a redirect", () =>
    Effect.gen(function* () {
      const server = yield* serve((_, response) => {
        response.writeHead(307, { location: "/elsewhere" })
        response.end()
      })
      const error = yield* fail(server.baseUrl)
      assert.strictEqual(error.reason._tag, "InvalidResponseError")
      assert.isFalse(error.mayHaveBeenCharged)
      assert.strictEqual(server.requests.length, 1)
    }).pipe(Effect.scoped)
  )

  it.live("keeps connections for the next request, of a response or of a stream", () =>
    Effect.gen(function* () {
      const connections = new Set<number | undefined>()
      const server = yield* serve((request, response) => {
        connections.add(request.socket.remotePort)
        response.end(server.requests.length % 2 === 0 ? responseBody(image) : completed(image))
      })
      const both = Effect.andThen(Stream.runDrain(Images.generateStream(params)), Images.generate(params))
      yield* Effect.repeat(both, { times: 9 }).pipe(Effect.provide(layer(server.baseUrl)))
      assert.strictEqual(server.requests.length, 20)
      assert.isAtMost(connections.size, 3)
    }).pipe(Effect.scoped)
  )

  it.live("closes its connections with its layer", () =>
    Effect.gen(function* () {
      const server = yield* serve((_, response) => response.end(responseBody(image)))
      yield* Images.generate(params).pipe(
        Effect.tap(() => Effect.sync(() => assert.strictEqual(server.sockets.size, 1))),
        Effect.provide(layer(server.baseUrl))
      )
      yield* eventually(() => server.sockets.size === 0, "the connection closed")
    }).pipe(Effect.scoped)
  )

  it.live("serves 64 requests at once", () =>
    Effect.gen(function* () {
      const server = yield* serve((_, response) => response.end(responseBody(image)))
      const responses = yield* Effect.forEach(Array.from({ length: 64 }), () => Images.generate(params), {
        concurrency: "unbounded"
      }).pipe(Effect.provide(layer(server.baseUrl)))
      assert.isTrue(responses.every(({ data }) => image.equals(data[0].bytes)))
      assert.strictEqual(server.requests.length, 64)
    }).pipe(Effect.scoped)
  )
})

describe("proof of what was sent", () => {
  it.live("a refused connection: nothing was sent, and it is retried", () =>
    Effect.gen(function* () {
      const gone = yield* Effect.scoped(
        Effect.map(
          serve(() => undefined),
          ({ baseUrl }) => baseUrl
        )
      )
      const error = yield* fail(gone)
      assert.strictEqual(error.reason._tag, "ConnectionError")
      assert.isTrue(error.isRetryable)
      assert.isFalse(error.mayHaveBeenCharged)
    })
  )

  it.live("a reset in the TLS handshake: nothing was sent", () =>
    Effect.gen(function* () {
      const port = yield* tcp((socket) => socket.once("data", () => socket.resetAndDestroy()))
      const error = yield* fail(`https://127.0.0.1:${port}/v1`)
      assert.strictEqual(error.reason._tag, "ConnectionError")
      assert.isFalse(error.mayHaveBeenCharged)
    }).pipe(Effect.scoped)
  )

  it.live("a TLS handshake that never ends: a connect timeout, not charged", () =>
    Effect.gen(function* () {
      const port = yield* tcp(() => undefined)
      const error = yield* fail(`https://127.0.0.1:${port}/v1`, { connectTimeout: "300 millis" })
      assert.strictEqual(error.reason._tag, "RequestTimeoutError")
      assert.isTrue(error.reason._tag === "RequestTimeoutError" && error.reason.phase === "connect")
      assert.isFalse(error.mayHaveBeenCharged)
    }).pipe(Effect.scoped)
  )

  it.live("a reset after the request: it may have been charged for, and is not retried", () =>
    Effect.gen(function* () {
      const server = yield* serve((request) => request.socket.resetAndDestroy())
      const error = yield* Images.generate(params).pipe(Effect.flip, Effect.provide(layer(server.baseUrl)))
      assert.strictEqual(error.reason._tag, "DisconnectedError")
      assert.isTrue(error.mayHaveBeenCharged)
      assert.strictEqual(server.requests.length, 1)
      assert.strictEqual(error.attempts.length, 1)
    }).pipe(Effect.scoped)
  )

  it.live("a reset within the body: the error has the complete images", () =>
    Effect.gen(function* () {
      const body = responseBody(image, image)
      const server = yield* serve((request, response) => {
        response.write(body.slice(0, -1000), () => setTimeout(() => request.socket.resetAndDestroy(), 50))
      })
      const error = yield* fail(server.baseUrl)
      assert.strictEqual(error.reason._tag, "DisconnectedError")
      assert.isTrue(error.mayHaveBeenCharged)
      assert.deepStrictEqual(
        error.reason.images.map(({ bytes }) => image.equals(bytes)),
        [true]
      )
    }).pipe(Effect.scoped)
  )
})

describe("Images.generateStream on NodeImages", () => {
  it.live("emits the images as they arrive", () =>
    Effect.gen(function* () {
      const server = yield* serve((_, response) => {
        response.setHeader("content-type", "text/event-stream")
        response.end(partialImage(0, image) + partialImage(1, image) + completed(image))
      })
      const events = yield* Images.generateStream(params).pipe(Stream.runCollect, Effect.provide(layer(server.baseUrl)))
      assert.deepStrictEqual(
        events.map(({ _tag }) => _tag),
        ["PartialImage", "PartialImage", "Completed"]
      )
      assert.isTrue(events.every(({ bytes }) => image.equals(bytes)))
    }).pipe(Effect.scoped)
  )

  it.live("closes the connection when the consumer stops early", () =>
    Effect.gen(function* () {
      const server = yield* serve((_, response) => {
        response.setHeader("content-type", "text/event-stream")
        response.write(partialImage(0, image))
      })
      yield* Effect.gen(function* () {
        yield* Images.generateStream(params).pipe(Stream.take(1), Stream.runDrain)
        yield* eventually(() => server.sockets.size === 0, "the socket is closed")
      }).pipe(Effect.provide(layer(server.baseUrl)))
    }).pipe(Effect.scoped)
  )

  it.live("closes the connection when it is interrupted", () =>
    Effect.gen(function* () {
      const server = yield* serve(() => undefined)
      yield* Effect.gen(function* () {
        const fiber = yield* Effect.forkChild(Stream.runDrain(Images.generateStream(params)))
        yield* eventually(() => server.requests.length === 1, "the request has come")
        yield* Fiber.interrupt(fiber)
        yield* eventually(() => server.sockets.size === 0, "the socket is closed")
      }).pipe(Effect.provide(layer(server.baseUrl)))
    }).pipe(Effect.scoped)
  )

  it.live("a slow consumer slows the server down", () =>
    Effect.gen(function* () {
      const large = partialImage(0, png(3_000_000))
      let written = 0
      const server = yield* serve((_, response) => {
        response.setHeader("content-type", "text/event-stream")
        const write = () => {
          while (written < 40 && !response.destroyed) {
            written++
            if (!response.write(large)) return response.once("drain", write)
          }
          return response
        }
        write()
      })
      yield* Images.generateStream(params).pipe(
        Stream.take(2),
        Stream.runForEach(() => Effect.sleep("150 millis")),
        Effect.provide(layer(server.baseUrl))
      )
      assert.isBelow(written, 20)
    }).pipe(Effect.scoped)
  )

  it.live("keeps no emitted image in memory except the last", () =>
    Effect.gen(function* () {
      const given: Array<WeakRef<Uint8Array>> = []
      const sendOneByOne = async (response: ServerResponse) => {
        for (let index = 0; index < 4; index++) {
          response.write(partialImage(index, image))
          while (given.length <= index) await setImmediate()
        }
        response.end(completed(image))
      }
      const server = yield* serve((_, response) => void sendOneByOne(response))
      const alive = yield* Images.generateStream({ ...params, partialImages: 3 }).pipe(
        Stream.mapEffect(
          Effect.fnUntraced(function* ({ bytes }) {
            given.push(new WeakRef(bytes))
            yield* Effect.promise(collectGarbage)
            return given.slice(0, -1).filter((earlier) => earlier.deref() !== undefined).length
          })
        ),
        Stream.runCollect,
        Effect.provide(layer(server.baseUrl))
      )
      assert.deepStrictEqual(alive, [0, 0, 0, 0, 0])
    }).pipe(Effect.scoped)
  )

  it.live("leaves nothing that keeps the process alive", () =>
    Effect.gen(function* () {
      const program = `
        import { Images } from "@effect-gradient/core"
        import { NodeImages } from "@effect-gradient/node"
        import { Effect } from "effect"
        const layer = NodeImages.layer({ baseUrl: process.argv[1] })
        await Effect.runPromise(Images.generate({ prompt: "x" }).pipe(Effect.provide(layer)))`
      const server = yield* serve((_, response) => response.end(responseBody(image)))
      const child = spawn(process.execPath, ["--input-type=module-typescript", "-e", program, server.baseUrl], {
        cwd: import.meta.dirname,
        stdio: "inherit"
      })
      const code = yield* Effect.callback<number | null>((resume) => {
        child.on("exit", (exitCode) => resume(Effect.succeed(exitCode)))
      })
      assert.strictEqual(code, 0)
    }).pipe(Effect.scoped)
  )
})

/**
 * A server in a thread of its own. The thread is blocked for 700 ms. The server's queue of connections is full, so the
 * kernel drops the first packet of the next connection.
 */
const slowToAccept = Effect.acquireRelease(
  Effect.promise(async () => {
    const worker = new Worker(
      `const { createServer } = require("node:http")
      const { connect } = require("node:net")
      const { parentPort, workerData } = require("node:worker_threads")
      const server = createServer((request, response) => request.resume().on("end", () => response.end(workerData)))
      server.listen({ host: "127.0.0.1", port: 0, backlog: 1 }, () => {
        const { port } = server.address()
        for (let filled = 0; filled < 4; filled++) connect(port, "127.0.0.1").on("error", () => undefined)
        process.nextTick(() => {
          parentPort.postMessage(port)
          Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, 700)
        })
      })`,
      { eval: true, workerData: responseBody(image) }
    )
    const message: ReadonlyArray<unknown> = await once(worker, "message")
    return { worker, port: Number(message[0]) }
  }),
  ({ worker }) => Effect.promise(() => worker.terminate())
)

/**
 * A full garbage collection, after this turn of the event loop has released its objects. It collects twice: the first
 * may only finish a collection that V8 has already begun, which keeps all that was alive at its beginning.
 */
const collectGarbage = async () => {
  await setImmediate()
  setFlagsFromString("--expose-gc")
  runInNewContext("gc(); gc()")
}
