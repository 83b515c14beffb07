import { assert, describe, it } from "@effect/vitest"
import { Images, RetryPolicy } from "@effect-gradient/core"
import { NodeImages } from "@effect-gradient/node"
import { Effect } from "effect"
import * as http from "node:http"
import * as http2 from "node:http2"
import * as https from "node:https"
import * as net from "node:net"
import { generate as selfSigned } from "selfsigned"
import { png, responseBody, serve } from "./support/server.ts"

const image = png(1000)

const ask = (baseUrl: string, transport: NodeImages.TransportOptions) =>
  Images.generate({ prompt: "A sea otter" }, { retry: RetryPolicy.none }).pipe(
    Effect.provide(NodeImages.layer({ baseUrl, ...transport }))
  )

/** Listens on loopback while the scope is open, and gives the port. */
const listening = (server: net.Server) =>
  Effect.acquireRelease(
    Effect.callback<number>((resume) => {
      server.listen(0, "127.0.0.1", () => {
        const address = server.address()
        resume(Effect.succeed(address !== null && typeof address === "object" ? address.port : 0))
      })
    }),
    () => Effect.sync(() => server.close())
  )

const certificate = Effect.promise(() =>
  selfSigned([{ name: "commonName", value: "localhost" }], {
    keySize: 2048,
    extensions: [{ name: "subjectAltName", altNames: [{ type: 7, ip: "127.0.0.1" }] }]
  })
)

/** An HTTPS server whose certificate nobody knows. */
const tlsServer = Effect.gen(function* () {
  const pems = yield* certificate
  const server = https.createServer({ key: pems.private, cert: pems.cert }, (request, response) => {
    request.resume().on("end", () => response.setHeader("connection", "close").end(responseBody(image)))
  })
  const port = yield* listening(server)
  return { baseUrl: `https://127.0.0.1:${port}/v1`, ca: pems.cert }
})

/** A proxy that forwards requests and opens tunnels, and lists what it was asked for. */
const proxyServer = Effect.gen(function* () {
  const asked: Array<string> = []
  const server = http.createServer((request, response) => {
    asked.push(`${request.method} ${request.url}`)
    const behind = http.request(request.url ?? "", { method: request.method, headers: request.headers }, (answer) => {
      response.writeHead(answer.statusCode ?? 502, answer.headers)
      answer.pipe(response)
    })
    request.pipe(behind)
  })
  server.on("connect", (request, socket) => {
    asked.push(`${request.method} ${request.url}`)
    const [host = "", port = ""] = (request.url ?? "").split(":")
    const behind = net.connect(Number(port), host, () => {
      socket.write("HTTP/1.1 200 Connection established\r\n\r\n")
      behind.pipe(socket).pipe(behind)
    })
    for (const end of [behind, socket]) end.on("error", () => behind.destroy())
  })
  const port = yield* listening(server)
  return { asked, url: `http://127.0.0.1:${port}` }
})

describe("proxy", () => {
  it.live.each(["127.0.0.1:3128", "nonsense", "socks5://127.0.0.1:1"])(
    "%s is refused before anything is sent",
    (proxy) =>
      Effect.gen(function* () {
        const server = yield* serve((_, response) => response.end(responseBody(image)))
        const { reason } = yield* Effect.flip(ask(server.baseUrl, { proxy }))
        assert.strictEqual(reason._tag, "InvalidParamsError")
        assert.include(reason.message, "proxy")
        assert.strictEqual(server.requests.length, 0)
      }).pipe(Effect.scoped)
  )
})

describe("tls", () => {
  it.live("trusts a certificate of one's own", () =>
    Effect.gen(function* () {
      const { baseUrl, ca } = yield* tlsServer
      const response = yield* ask(baseUrl, { tls: { ca } })
      assert.isTrue(image.equals(response.data[0].bytes))
    }).pipe(Effect.scoped)
  )

  it.live("speaks HTTP/1.1 to a server that would rather speak HTTP/2", () =>
    Effect.gen(function* () {
      const pems = yield* certificate
      const versions: Array<string> = []
      const server = http2.createSecureServer(
        { key: pems.private, cert: pems.cert, allowHTTP1: true },
        (request, response) => {
          versions.push(request.httpVersion)
          request.resume().on("end", () => response.end(responseBody(image)))
        }
      )
      const port = yield* listening(server)
      yield* ask(`https://127.0.0.1:${port}/v1`, { tls: { ca: pems.cert } })
      assert.deepStrictEqual(versions, ["1.1"])
    }).pipe(Effect.scoped)
  )

  it.live("a certificate that nobody knows: nothing was sent", () =>
    Effect.gen(function* () {
      const { baseUrl } = yield* tlsServer
      const error = yield* Effect.flip(ask(baseUrl, {}))
      assert.strictEqual(error.reason._tag, "ConnectionError")
      assert.include(error.message, "self-signed certificate")
      assert.isFalse(error.mayHaveBeenCharged)
    }).pipe(Effect.scoped)
  )
})

describe("proxy", () => {
  it.live("carries a request to a service without TLS", () =>
    Effect.gen(function* () {
      const server = yield* serve((_, response) => response.end(responseBody(image)))
      const proxy = yield* proxyServer
      const response = yield* ask(server.baseUrl, { proxy: proxy.url })
      assert.isTrue(image.equals(response.data[0].bytes))
      assert.deepStrictEqual(proxy.asked, [`POST ${server.baseUrl}/images/generations`])
    }).pipe(Effect.scoped)
  )

  it.live("opens a tunnel to a service with TLS", () =>
    Effect.gen(function* () {
      const { baseUrl, ca } = yield* tlsServer
      const proxy = yield* proxyServer
      const response = yield* ask(baseUrl, { proxy: proxy.url, tls: { ca } })
      assert.isTrue(image.equals(response.data[0].bytes))
      assert.deepStrictEqual(proxy.asked, [`CONNECT ${new URL(baseUrl).host}`])
    }).pipe(Effect.scoped)
  )

  it.live("a proxy that is not there: nothing was sent", () =>
    Effect.gen(function* () {
      const gone = yield* Effect.scoped(Effect.map(proxyServer, ({ url }) => url))
      const error = yield* Effect.flip(ask("https://127.0.0.1:1/v1", { proxy: gone }))
      assert.strictEqual(error.reason._tag, "ConnectionError")
    }).pipe(Effect.scoped)
  )
})
