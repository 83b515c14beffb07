import { assert, describe, it } from "@effect/vitest"
import { GradientClient } from "@effect-gradient/core"
import { Attempts, Callers, ImagesGateway } from "@effect-gradient/gateway"
import { Effect, Layer, Redacted } from "effect"
import { HttpClient, HttpClientResponse, HttpRouter } from "effect/http"
import { RateLimiter } from "effect/persistence"
import { randomUUID } from "node:crypto"
import { connect } from "node:net"
import { gzipSync } from "node:zlib"
import { eventually, partialImage, png, serve } from "../../node/test/support/server.ts"
import { alice, answerImages, asStream, call, gatewayTo, reader, refusal } from "./support/gateway.ts"

/** Sends these lines on a socket. Returns the reply as soon as it contains `until`, or when the connection closes. */
const raw = (baseUrl: string, lines: ReadonlyArray<string>, until = "\r\n\r\n") =>
  Effect.callback<string>((resume) => {
    const { hostname, port } = new URL(baseUrl)
    let text = ""
    const socket = connect(Number(port), hostname, () => socket.write(lines.join("\r\n")))
    const finish = () => resume(Effect.succeed(text))
    socket.on("data", (chunk) => {
      text += chunk.toString("latin1")
      if (text.includes(until)) finish()
    })
    socket.on("close", finish)
    socket.on("error", finish)
    return Effect.sync(() => socket.destroy())
  })

const post = ["POST /v1/images/generations HTTP/1.1", "host: gateway", "content-type: application/json"]

describe("hostile callers", () => {
  it.live("many wrong keys are each a 401, and nothing is sent", () =>
    Effect.gen(function* () {
      const server = yield* serve(answerImages)
      const baseUrl = yield* gatewayTo({ upstream: server.baseUrl })
      const statuses = yield* Effect.forEach(
        Array.from({ length: 300 }, (_, i) => `wrong-${i}`),
        (key) => Effect.map(refusal(baseUrl, { key }), ({ status }) => status),
        { concurrency: 20 }
      )
      assert.deepStrictEqual(new Set(statuses), new Set([401]))
      assert.strictEqual(server.requests.length, 0)
    }).pipe(Effect.scoped)
  )

  it.live("an endless body is a 413 at the size limit", () =>
    Effect.gen(function* () {
      const baseUrl = yield* gatewayTo({ upstream: "http://127.0.0.1:1", limits: { bodySize: "10 kB" } })
      const answer = yield* raw(
        baseUrl,
        [...post, `authorization: Bearer ${alice}`, "transfer-encoding: chunked", "", "4000", " ".repeat(0x4000), ""],
        "larger than"
      )
      assert.match(answer, /^HTTP\/1.1 413 /)
      assert.include(answer, "The body is larger than 10000 bytes")
    }).pipe(Effect.scoped)
  )

  it.live("a body that stops arriving is a 408 after `bodyTimeout`; an unknown caller gets a 401 before", () =>
    Effect.gen(function* () {
      const baseUrl = yield* gatewayTo({ upstream: "http://127.0.0.1:1", limits: { bodyTimeout: "100 millis" } })
      const half = ["content-length: 100", "", '{"prompt":']
      const known = yield* raw(baseUrl, [...post, `authorization: Bearer ${alice}`, ...half], "took too long")
      assert.match(known, /^HTTP\/1.1 408 /)
      assert.include(known, "The body of the request took too long to arrive")
      const patient = yield* gatewayTo({ upstream: "http://127.0.0.1:1" })
      assert.match(yield* raw(patient, [...post, "authorization: Bearer wrong", ...half]), /^HTTP\/1.1 401 /)
    }).pipe(Effect.scoped)
  )

  it.live("a caller that stops reading a large stream uses little memory, and none after it left", () =>
    Effect.gen(function* () {
      const event = partialImage(0, png(3_000_000))
      let written = 0
      const server = yield* serve((_, response) => {
        response.setHeader("content-type", "text/event-stream")
        const write = () => {
          while (!response.destroyed && written < 100) {
            written++
            if (!response.write(event)) return void response.once("drain", write)
          }
        }
        write()
      })
      const baseUrl = yield* gatewayTo({ upstream: server.baseUrl })
      const leaving = new AbortController()
      const response = yield* call(baseUrl, { body: asStream, signal: leaving.signal })
      yield* reader(response)("b64_json")
      yield* Effect.sleep("500 millis")
      assert.isBelow(written, 20)
      leaving.abort()
      yield* eventually(() => server.sockets.size === 0, "the upstream socket is closed")
    }).pipe(Effect.scoped)
  )

  it.live("line breaks in a header or a param do not add headers, upstream or in the reply", () =>
    Effect.gen(function* () {
      const server = yield* serve(answerImages)
      const lines: Array<string> = []
      const baseUrl = yield* gatewayTo({ upstream: server.baseUrl, log: (line) => lines.push(line) })
      const answer = yield* raw(baseUrl, [
        ...post,
        "authorization: Bearer a\nx-injected: 1",
        "content-length: 2",
        "",
        "{}"
      ])
      assert.match(answer, /^HTTP\/1.1 40[01] /)
      const user = "x\r\nx-injected: 1"
      assert.strictEqual((yield* call(baseUrl, { body: { prompt: user, user } })).status, 200)
      const odd = yield* refusal(baseUrl, { body: { prompt: "x", "a\r\nx-injected: 1": 1 } })
      assert.strictEqual(odd.status, 400)
      assert.isNull(odd.headers.get("x-injected"))
      assert.isUndefined(server.requests[0]?.headers["x-injected"])
      for (const line of lines) assert.notInclude(line.trimEnd(), "\n")
    }).pipe(Effect.scoped)
  )

  it.live(
    "10,000 ids are each sent once, also if they are repeated in another form",
    () =>
      Effect.gen(function* () {
        let requests = 0
        const client = HttpClient.make((request) =>
          Effect.sync(() => {
            requests++
            return HttpClientResponse.fromWeb(request, Response.json({}))
          })
        )
        const { dispose, handler } = HttpRouter.toWebHandler(
          ImagesGateway.layer({ limits: { images: 20_000 } }).pipe(
            Layer.provide([
              Callers.layerKeys([Redacted.make(alice)]),
              Attempts.layerOnce,
              RateLimiter.layer.pipe(Layer.provide(RateLimiter.layerStoreMemory))
            ]),
            Layer.provide(GradientClient.layer({ modelAccessKey: Redacted.make("any") })),
            Layer.provide(Layer.succeed(HttpClient.HttpClient, client))
          ),
          { disableLogger: true }
        )
        yield* Effect.addFinalizer(() => Effect.promise(dispose))
        const status = (id: string) =>
          Effect.promise(async () => {
            const headers = { authorization: `Bearer ${alice}`, "content-type": "application/json", "x-attempt-id": id }
            const body = JSON.stringify({ prompt: "A sea otter" })
            const response = await handler(
              new Request("http://gateway/v1/images/generations", { method: "POST", headers, body })
            )
            // The request counts as open until its response is read.
            await response.text()
            return response.status
          })
        const ids = Array.from({ length: 10_000 }, () => randomUUID())
        const first = yield* Effect.forEach(ids, status, { concurrency: 50 })
        assert.deepStrictEqual(new Set(first), new Set([200]))
        const again = ids.slice(0, 100).map((id) => id.toUpperCase().replaceAll("-", ""))
        assert.deepStrictEqual(new Set(yield* Effect.forEach(again, status, { concurrency: 50 })), new Set([409]))
        assert.strictEqual(requests, 10_000)
      }).pipe(Effect.scoped),
    120_000
  )

  it.live("a compressed body is a 415 that names the encoding, whatever its decompressed size", () =>
    Effect.gen(function* () {
      const baseUrl = yield* gatewayTo({ upstream: "http://127.0.0.1:1" })
      const bomb = new Blob([gzipSync(Buffer.alloc(10_000_000, 32))]).stream()
      const { headers, message, status } = yield* refusal(baseUrl, {
        headers: { "content-encoding": "gzip" },
        body: bomb
      })
      assert.strictEqual(status, 415)
      assert.include(message, '"gzip"')
      assert.strictEqual(headers.get("accept-encoding"), "identity")
    }).pipe(Effect.scoped)
  )
})
