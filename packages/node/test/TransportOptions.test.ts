import { assert, describe, it, vi } from "@effect/vitest"
import { Images, RetryPolicy } from "@effect-gradient/core"
import { NodeImages } from "@effect-gradient/node"
import { ConfigProvider, Effect, Layer } from "effect"
import { createPrivateKey } from "node:crypto"
import * as http from "node:http"
import * as http2 from "node:http2"
import * as https from "node:https"
import * as net from "node:net"
import { generate as selfSigned } from "selfsigned"
import { listening, png, responseBody, serve, tcp } from "./support/server.ts"

const image = png(1000)

const ask = (baseUrl: string, transport: NodeImages.TransportOptions) =>
  Images.generate({ prompt: "A sea otter" }, { retry: RetryPolicy.none }).pipe(
    Effect.provide(NodeImages.layer({ baseUrl, ...transport }))
  )

const certificate = Effect.promise(() =>
  selfSigned([{ name: "commonName", value: "localhost" }], {
    keySize: 2048,
    extensions: [{ name: "subjectAltName", altNames: [{ type: 7, ip: "127.0.0.1" }] }]
  })
)

/** An HTTPS server whose certificate is not trusted by default. */
const tlsServer = Effect.gen(function* () {
  const pems = yield* certificate
  const server = https.createServer({ key: pems.private, cert: pems.cert }, (request, response) => {
    request.resume().on("end", () => response.setHeader("connection", "close").end(responseBody(image)))
  })
  const port = yield* listening(server)
  return { baseUrl: `https://127.0.0.1:${port}/v1`, ca: pems.cert }
})

/**
 * A proxy that forwards requests and opens tunnels. If `refusal` is set, it refuses both with that status. It records
 * the requests that it gets.
 */
const proxyServer = Effect.fnUntraced(function* (refusal?: number) {
  const asked: Array<string> = []
  const server = http.createServer((request, response) => {
    asked.push(`${request.method} ${request.url}`)
    if (refusal !== undefined) {
      response.writeHead(refusal, { "content-type": "text/html", "proxy-authenticate": "Basic" })
      return response.end("<title>Access Denied</title>".padEnd(200_000))
    }
    const behind = http.request(request.url ?? "", { method: request.method, headers: request.headers }, (answer) => {
      response.writeHead(answer.statusCode ?? 502, answer.headers)
      answer.pipe(response)
    })
    return request.pipe(behind)
  })
  server.on("connect", (request, socket) => {
    asked.push(`${request.method} ${request.url}`)
    if (refusal !== undefined) {
      return socket.on("error", () => undefined).end(`HTTP/1.1 ${refusal} No\r\ncontent-length: 0\r\n\r\n`)
    }
    const [host = "", port = ""] = (request.url ?? "").split(":")
    const behind = net.connect(Number(port), host, () => {
      socket.write("HTTP/1.1 200 Connection established\r\n\r\n")
      behind.pipe(socket).pipe(behind)
    })
    for (const end of [behind, socket]) end.on("error", () => behind.destroy())
    return socket
  })
  const port = yield* listening(server)
  return { asked, url: `http://127.0.0.1:${port}` }
})

describe("tls", () => {
  it.live("trusts a custom certificate", () =>
    Effect.gen(function* () {
      const { baseUrl, ca } = yield* tlsServer
      const response = yield* ask(baseUrl, { tls: { ca } })
      assert.isTrue(image.equals(response.data[0].bytes))
    }).pipe(Effect.scoped)
  )

  it.live("uses HTTP/1.1 with a server that prefers HTTP/2", () =>
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

  it.live("an untrusted certificate: nothing was sent", () =>
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
      const proxy = yield* proxyServer()
      const response = yield* ask(server.baseUrl, { proxy: proxy.url })
      assert.isTrue(image.equals(response.data[0].bytes))
      assert.deepStrictEqual(proxy.asked, [`POST ${server.baseUrl}/images/generations`])
    }).pipe(Effect.scoped)
  )

  it.live("opens a tunnel to a service with TLS", () =>
    Effect.gen(function* () {
      const { baseUrl, ca } = yield* tlsServer
      const proxy = yield* proxyServer()
      const response = yield* ask(baseUrl, { proxy: proxy.url, tls: { ca } })
      assert.isTrue(image.equals(response.data[0].bytes))
      assert.deepStrictEqual(proxy.asked, [`CONNECT ${new URL(baseUrl).host}`])
    }).pipe(Effect.scoped)
  )

  it.live("a proxy that does not exist: nothing was sent", () =>
    Effect.gen(function* () {
      const gone = yield* Effect.scoped(Effect.map(proxyServer(), ({ url }) => url))
      const error = yield* Effect.flip(ask("https://127.0.0.1:1/v1", { proxy: gone }))
      assert.strictEqual(error.reason._tag, "ConnectionError")
      assert.match(error.message, /Check the network, .*proxy/)
    }).pipe(Effect.scoped)
  )

  for (const scheme of ["http", "https"]) {
    it.live.each([403, 407])(
      `that refuses a request to ${scheme} with %d: one connection error with that status`,
      (status) =>
        Effect.gen(function* () {
          const proxy = yield* proxyServer(status)
          const url = proxy.url.replace("//", "//otter:s%40cret@")
          const error = yield* Images.generate({ prompt: "A sea otter" }, { retry: RetryPolicy.eager }).pipe(
            Effect.flip,
            Effect.provide(NodeImages.layer({ baseUrl: `${scheme}://service.invalid/v1`, proxy: url }))
          )
          assert.strictEqual(error.reason._tag, "ConnectionError")
          assert.include(error.message, String(status))
          assert.notMatch(error.message, /s@cret|s%40cret/)
          assert.isFalse(error.isRetryable)
          assert.isFalse(error.mayHaveBeenCharged)
          assert.strictEqual(proxy.asked.length, 1)
        }).pipe(Effect.scoped)
    )
  }

  it.live("that fails with 502 is retried", () =>
    Effect.gen(function* () {
      const proxy = yield* proxyServer(502)
      const error = yield* Effect.flip(ask("https://service.invalid/v1", { proxy: proxy.url }))
      assert.strictEqual(error.reason._tag, "ConnectionError")
      assert.include(error.message, "502")
      assert.isTrue(error.isRetryable)
    }).pipe(Effect.scoped)
  )

  it.live("a refusal by the service behind a proxy is not taken for the proxy's", () =>
    Effect.gen(function* () {
      const server = yield* serve((_, response) => {
        response.writeHead(403, { "content-type": "application/json" }).end('{"message":"Not with this key"}')
      })
      const proxy = yield* proxyServer()
      const { reason } = yield* Effect.flip(ask(server.baseUrl, { proxy: proxy.url }))
      assert.strictEqual(reason._tag, "PermissionDeniedError")
      assert.include(reason.message, "Not with this key")
    }).pipe(Effect.scoped)
  )

  it.live("that is silent is a connect timeout", () =>
    Effect.gen(function* () {
      const port = yield* tcp(() => undefined)
      const transport = { proxy: `http://127.0.0.1:${port}`, connectTimeout: "300 millis" } as const
      const { reason } = yield* Effect.flip(ask("https://service.invalid/v1", transport))
      assert.isTrue(reason._tag === "RequestTimeoutError" && reason.phase === "connect")
      assert.isFalse(reason.mayHaveBeenCharged)
    }).pipe(Effect.scoped)
  )
})

describe("proxies of the environment", () => {
  /**
   * Sends a request with these environment variables and returns the number of requests that the proxy got. PROXY in a
   * variable is replaced by the proxy's URL, HOST by its host and port.
   */
  const askedWith = (environment: Record<string, string>, options: { readonly proxy?: string } = {}) =>
    Effect.gen(function* () {
      const server = yield* serve((_, response) => response.end(responseBody(image)))
      const proxy = yield* proxyServer()
      const named = (value: string) =>
        value.replace("PROXY", proxy.url).replace("HOST", proxy.url.slice("http://".length))
      const env = Object.fromEntries(Object.entries(environment).map(([name, value]) => [name, named(value)]))
      const layer = NodeImages.layerFromConfig(options.proxy === undefined ? {} : { proxy: named(options.proxy) }).pipe(
        Layer.provide(
          ConfigProvider.layer(
            ConfigProvider.fromEnv({
              env: { ...env, GRADIENT_MODEL_ACCESS_KEY: "sk-do-test", GRADIENT_BASE_URL: server.baseUrl }
            })
          )
        )
      )
      yield* Images.generate({ prompt: "A sea otter" }).pipe(Effect.provide(layer))
      return proxy.asked.length
    }).pipe(Effect.scoped)

  const cases: ReadonlyArray<readonly [Record<string, string>, number]> = [
    [{ HTTP_PROXY: "PROXY" }, 1],
    [{ http_proxy: "PROXY" }, 1],
    [{ http_proxy: "HOST" }, 1],
    [{ HTTP_PROXY: "http://127.0.0.1:1", http_proxy: "PROXY" }, 1],
    [{ HTTPS_PROXY: "PROXY" }, 0],
    [{ HTTP_PROXY: "" }, 0],
    [{ HTTP_PROXY: "PROXY", NO_PROXY: "127.0.0.1" }, 0],
    [{ HTTP_PROXY: "PROXY", no_proxy: "example.com, *" }, 0],
    [{ HTTP_PROXY: "PROXY", NO_PROXY: "example.com" }, 1]
  ]
  it.live.each(cases)("%o: %d requests through the proxy", ([environment, requests]) =>
    Effect.gen(function* () {
      assert.strictEqual(yield* askedWith(environment), requests)
    })
  )

  it.live("an empty variable counts as unset: a 403 over plain HTTP is the service's", () =>
    Effect.gen(function* () {
      const server = yield* serve((_, response) => response.writeHead(403, { "content-type": "text/html" }).end("No"))
      const env = {
        HTTP_PROXY: " ",
        HTTPS_PROXY: "http://127.0.0.1:1",
        GRADIENT_MODEL_ACCESS_KEY: "sk-do-test",
        GRADIENT_BASE_URL: server.baseUrl
      }
      const { reason } = yield* Images.generate({ prompt: "A sea otter" }).pipe(
        Effect.flip,
        Effect.provide(NodeImages.layerFromConfig()),
        Effect.provide(ConfigProvider.layer(ConfigProvider.fromEnv({ env })))
      )
      assert.strictEqual(reason._tag, "PermissionDeniedError")
    }).pipe(Effect.scoped)
  )

  it.live("are overridden by the option", () =>
    Effect.gen(function* () {
      const environment = { HTTP_PROXY: "http://127.0.0.1:1", NO_PROXY: "*" }
      assert.strictEqual(yield* askedWith(environment, { proxy: "PROXY" }), 1)
    })
  )

  it.live("HTTPS_PROXY is used for https, in lower and upper case", () =>
    Effect.gen(function* () {
      for (const name of ["HTTPS_PROXY", "https_proxy"]) {
        const proxy = yield* proxyServer(403)
        const env = { [name]: proxy.url, GRADIENT_MODEL_ACCESS_KEY: "sk-do-test" }
        yield* Images.generate({ prompt: "A sea otter" }).pipe(
          Effect.flip,
          Effect.provide(NodeImages.layerFromConfig({ baseUrl: "https://service.invalid/v1" })),
          Effect.provide(ConfigProvider.layer(ConfigProvider.fromEnv({ env })))
        )
        assert.deepStrictEqual(proxy.asked, ["CONNECT service.invalid:443"])
      }
    }).pipe(Effect.scoped)
  )

  it.live("are not read by a plain layer", () =>
    Effect.gen(function* () {
      const server = yield* serve((_, response) => response.end(responseBody(image)))
      const environment = ConfigProvider.fromEnv({ env: { HTTP_PROXY: "http://127.0.0.1:1" } })
      vi.stubEnv("HTTP_PROXY", "http://127.0.0.1:1")
      yield* Effect.addFinalizer(() => Effect.sync(() => vi.unstubAllEnvs()))
      yield* ask(server.baseUrl, {}).pipe(Effect.provide(ConfigProvider.layer(environment)))
      assert.strictEqual(server.requests.length, 1)
    }).pipe(Effect.scoped)
  )

  it.live("are refused with the name of their variable if they are invalid", () =>
    Effect.gen(function* () {
      for (const [name, value] of [
        ["HTTP_PROXY", "socks5://127.0.0.1:1"],
        ["HTTPS_PROXY", "http://user:50%25%@x"]
      ] as const) {
        const env = { [name]: value, GRADIENT_MODEL_ACCESS_KEY: "sk-do-test" }
        const error = yield* Layer.build(NodeImages.layerFromConfig()).pipe(
          Effect.flip,
          Effect.provide(ConfigProvider.layer(ConfigProvider.fromEnv({ env })))
        )
        assert.isTrue(error._tag === "GradientError" && error.reason._tag === "InvalidParamsError")
        assert.include(error.message, name)
      }
    }).pipe(Effect.scoped)
  )
})

describe("options that cannot be used", () => {
  const cases: ReadonlyArray<readonly [string, NodeImages.TransportOptions, string]> = [
    ["a proxy without a scheme", { proxy: "127.0.0.1:3128" }, "proxy"],
    ["a proxy that is not a URL", { proxy: "secret nonsense" }, "proxy"],
    ["a proxy of another scheme", { proxy: "socks5://user:secret@127.0.0.1:1" }, "proxy"],
    ["a proxy with a % that is not an escape", { proxy: "http://user:secret%@127.0.0.1:1" }, "proxy"],
    ["a proxy with a path", { proxy: "http://user:secret@127.0.0.1:1/path" }, "proxy"],
    ["a proxy with a query", { proxy: "http://user:secret@127.0.0.1:1?a=b" }, "proxy"],
    ["a CA that is not a certificate", { tls: { ca: "secret" } }, "tls.ca"],
    ["a certificate that is not one", { tls: { cert: "secret" } }, "tls.cert"],
    ["a key that is not one", { tls: { key: "secret" } }, "tls.key"],
    ["a timeout that is not a duration", { connectTimeout: Number.NaN }, "connectTimeout"],
    ["a timeout of 0", { connectTimeout: 0 }, "connectTimeout"],
    ["a timeout below 0", { connectTimeout: -1 }, "connectTimeout"],
    ["a timeout without end", { connectTimeout: Number.POSITIVE_INFINITY }, "connectTimeout"]
  ]
  for (const [name, options, param] of cases) {
    it.effect(`${name}: the layer fails, and repeats no secret`, () =>
      Effect.gen(function* () {
        const { message, reason } = yield* Effect.flip(Layer.build(NodeImages.layerHttpClient(options)))
        assert.isTrue(reason._tag === "InvalidParamsError" && reason.issues[0]?.param === param)
        assert.include(message, param)
        assert.notInclude(message, "secret")
      }).pipe(Effect.scoped)
    )
  }

  it.live("a key of another certificate, or without its passphrase", () =>
    Effect.gen(function* () {
      const [one, other] = [yield* certificate, yield* certificate]
      const pair = { cert: one.cert, key: other.private }
      const locked = createPrivateKey(one.private).export({
        type: "pkcs8",
        format: "pem",
        cipher: "aes-256-cbc",
        passphrase: "open"
      })
      const build = (tls: NodeImages.TransportOptions["tls"]) => Layer.build(NodeImages.layerHttpClient({ tls }))
      assert.include((yield* Effect.flip(build(pair))).message, "tls must be a cert and a key that belong together")
      assert.include((yield* Effect.flip(build({ cert: one.cert, key: String(locked) }))).message, "tls.key")
      yield* build({ cert: one.cert, key: String(locked), passphrase: "open" })
    }).pipe(Effect.scoped)
  )
})
