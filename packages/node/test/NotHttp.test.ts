import { assert, describe, it } from "@effect/vitest"
import { Images, RetryPolicy } from "@effect-gradient/core"
import { NodeImages } from "@effect-gradient/node"
import { Effect, Redacted } from "effect"
import * as http from "node:http"
import * as http2 from "node:http2"
import { inspect } from "node:util"
import { listening, png, responseBody, serve, tcp } from "./support/server.ts"

const image = png(1000)
const params = { prompt: "A sea otter" }
const key = "sk-do-this-is-a-secret"

const layer = (baseUrl: string) =>
  NodeImages.layer({ baseUrl, modelAccessKey: Redacted.make(key), retry: RetryPolicy.eager })

const fail = (baseUrl: string) => Images.generate(params).pipe(Effect.flip, Effect.provide(layer(baseUrl)))

describe("the head of a response", () => {
  it.live.each([17, 100, 240])("of %d KiB is read", (size) =>
    Effect.gen(function* () {
      const server = yield* serve((_, response) => {
        for (let index = 0; index < size; index++) response.appendHeader("set-cookie", `c${index}=${"x".repeat(1000)}`)
        response.end(responseBody(image))
      })
      const { data } = yield* Images.generate(params).pipe(Effect.provide(layer(server.baseUrl)))
      assert.isTrue(image.equals(data[0].bytes))
    }).pipe(Effect.scoped)
  )

  it.live("of more than 256 KiB is an invalid response, and is not retried", () =>
    Effect.gen(function* () {
      const server = yield* serve((_, response) => {
        response.setHeader("x-large", "x".repeat(300 * 1024)).end(responseBody(image))
      })
      const error = yield* fail(server.baseUrl)
      assert.strictEqual(error.reason._tag, "InvalidResponseError")
      assert.include(error.message, "head of the reply is too large")
      assert.strictEqual(server.requests.length, 1)
    }).pipe(Effect.scoped)
  )
})

const notHttp: ReadonlyArray<readonly [string, Buffer | string, string]> = [
  ["a TLS alert", Buffer.from("15030100020246", "hex"), "answered with TLS: use https://"],
  ["an SSH banner", "SSH-2.0-OpenSSH_9.6\r\n", "SSH-2.0-OpenSSH_9.6"],
  ["a mail server", "220 mail.example.com ESMTP\r\n", "220 mail.example.com ESMTP"],
  ["HTTP/2 frames", Buffer.from("000006040000000000000400010000", "hex"), "HTTP/2"],
  ["an echo", `POST /v1 HTTP/1.1\r\nauthorization: Bearer ${key}\r\n\r\n`, "not HTTP"],
  ["text", "hello there\n", "not HTTP"],
  ["a version that does not exist", "HTTP/9.9 200 OK\r\n\r\n", "not HTTP"],
  ["a status that is not a number", "HTTP/1.1 abc\r\n\r\n", "not HTTP"]
]

describe("replies that are not HTTP", () => {
  for (const [name, bytes, words] of notHttp) {
    it.live(`${name}: an invalid response, in plain words, not asked for again`, () =>
      Effect.gen(function* () {
        let connections = 0
        const port = yield* tcp((socket) => {
          connections++
          socket.once("data", () => socket.end(bytes))
        })
        const error = yield* fail(`http://127.0.0.1:${port}/v1`)
        assert.strictEqual(error.reason._tag, "InvalidResponseError")
        assert.isFalse(error.isRetryable)
        assert.include(error.message, words)
        assert.notInclude(inspect(error, { depth: 20 }), key)
        assert.strictEqual(connections, 1)
      }).pipe(Effect.scoped)
    )
  }

  it.live("a server of HTTP/2", () =>
    Effect.gen(function* () {
      const error = yield* fail(`http://127.0.0.1:${yield* listening(http2.createServer())}/v1`)
      assert.strictEqual(error.reason._tag, "InvalidResponseError")
      assert.include(error.message, "HTTP/2")
    }).pipe(Effect.scoped)
  )

  it.live("a chunked body that breaks the protocol fails with the complete images", () =>
    Effect.gen(function* () {
      const body = responseBody(image, image).slice(0, -100)
      const port = yield* tcp((socket) => {
        const head = "HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n"
        socket.once("data", () => socket.write(`${head}${body.length.toString(16)}\r\n${body}\r\nnonsense\r\n`))
      })
      const { reason } = yield* fail(`http://127.0.0.1:${port}/v1`)
      assert.strictEqual(reason._tag, "InvalidResponseError")
      assert.strictEqual(reason.images.length, 1)
    }).pipe(Effect.scoped)
  )

  it.live.each(["connection: close", "x-other: 1"])(
    "a chunked body that is cut (%s) is a broken connection",
    (header) =>
      Effect.gen(function* () {
        const port = yield* tcp((socket) => {
          socket.once("data", () =>
            socket.end(`HTTP/1.1 200 OK\r\n${header}\r\ntransfer-encoding: chunked\r\n\r\nff\r\n{"da`)
          )
        })
        const error = yield* Images.generate(params, { retry: RetryPolicy.none }).pipe(
          Effect.flip,
          Effect.provide(layer(`http://127.0.0.1:${port}/v1`))
        )
        assert.strictEqual(error.reason._tag, "DisconnectedError")
      }).pipe(Effect.scoped)
  )

  it.live("https:// to a port of HTTP: one line in plain words, and nothing was sent", () =>
    Effect.gen(function* () {
      const port = yield* listening(http.createServer())
      const error = yield* Images.generate(params, { retry: RetryPolicy.none }).pipe(
        Effect.flip,
        Effect.provide(layer(`https://127.0.0.1:${port}/v1`))
      )
      assert.strictEqual(error.reason._tag, "ConnectionError")
      assert.include(error.message, "may not speak TLS on this port")
      assert.notMatch(error.message, /SSL routines|\.c:|\n/)
    }).pipe(Effect.scoped)
  )
})
