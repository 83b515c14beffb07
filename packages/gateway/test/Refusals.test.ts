import { assert, describe, it } from "@effect/vitest"
import { Callers, type ImagesGateway } from "@effect-gradient/gateway"
import { Effect, Layer, Redacted } from "effect"
import { Digest } from "effect/crypto"
import { Headers } from "effect/http"
import { randomUUID } from "node:crypto"
import { alice, answerImages, bob, call, decodeError, gatewayTo, refusal, textOf } from "./support/gateway.ts"
import { serve } from "../../node/test/support/server.ts"

describe("authentication", () => {
  it.live("no key, a wrong key and another scheme are a 401", () =>
    Effect.gen(function* () {
      const baseUrl = yield* gatewayTo({ upstream: "http://127.0.0.1:1" })
      const basic = { authorization: `Basic ${alice}` }
      for (const options of [{ key: "" }, { key: "wrong" }, { key: `${alice}x` }, { key: "", headers: basic }]) {
        const { code, headers, status, type } = yield* refusal(baseUrl, options)
        assert.deepStrictEqual([status, type, code], [401, "authentication_error", "invalid_api_key"])
        assert.strictEqual(headers.get("www-authenticate"), "Bearer")
      }
    }).pipe(Effect.scoped)
  )

  it.effect("each key is a caller, whose id does not contain the key", () =>
    Effect.gen(function* () {
      const { identify } = yield* Callers.Callers
      const idOf = (key: string) =>
        Effect.map(identify(Headers.fromInput({ authorization: `Bearer ${key}` })), ({ id }) => id)
      assert.notStrictEqual(yield* idOf(alice), yield* idOf(bob))
      assert.notInclude(yield* idOf(alice), alice.slice(0, 4))
      assert.strictEqual((yield* Effect.flip(idOf("wrong")))._tag, "Unauthorized")
    }).pipe(Effect.provide(Callers.layerKeys([Redacted.make(alice), Redacted.make(bob)])))
  )
})

describe("Callers.layerKeys", () => {
  it.effect("blank keys accept nobody, with or without a key", () =>
    Effect.gen(function* () {
      const { identify } = yield* Callers.Callers
      for (const headers of [{}, { authorization: "Bearer " }, { authorization: "Bearer x" }]) {
        assert.strictEqual((yield* Effect.flip(identify(Headers.fromInput(headers))))._tag, "Unauthorized")
      }
    }).pipe(Effect.provide(Callers.layerKeys([Redacted.make(""), Redacted.make(" ")])))
  )

  it.effect("uses the digest of the application, if it provides one", () => {
    const used: Array<string> = []
    const digest = Layer.mock(Digest.Digest, {
      digest: ({ name }, bytes) =>
        Effect.sync(() => {
          used.push(name)
          return bytes
        })
    })
    return Effect.gen(function* () {
      const { identify } = yield* Callers.Callers
      const { id } = yield* identify(Headers.fromInput({ authorization: "Bearer alice" }))
      assert.strictEqual(id, Buffer.from("alice").toString("hex"))
      assert.deepStrictEqual(used, ["SHA-256", "SHA-256"])
    }).pipe(Effect.provide(Callers.layerKeys([Redacted.make("alice")]).pipe(Layer.provide(digest))))
  })
})

describe("methods", () => {
  it.live("a method other than POST is a 405 that lists the allowed ones", () =>
    Effect.gen(function* () {
      const baseUrl = yield* gatewayTo({ upstream: "http://127.0.0.1:1" })
      const ask = (method: string, path: string) => Effect.promise(() => fetch(`${baseUrl}${path}`, { method }))
      for (const method of ["GET", "HEAD", "PUT", "DELETE"]) {
        const response = yield* ask(method, "/images/generations")
        assert.deepStrictEqual([response.status, response.headers.get("allow")], [405, "POST, OPTIONS"])
        if (method === "HEAD") continue
        assert.include((yield* decodeError(yield* textOf(response))).error.message, "POST")
      }
      const kept = yield* ask("POST", `/images/generations/${randomUUID()}`)
      assert.deepStrictEqual([kept.status, kept.headers.get("allow")], [405, "GET, OPTIONS"])
    }).pipe(Effect.scoped)
  )
})

describe("origins", () => {
  const app = "https://app.example"

  it.live("an origin that is not allowed is a 403, and its pages cannot read it", () =>
    Effect.gen(function* () {
      const baseUrl = yield* gatewayTo({ upstream: "http://127.0.0.1:1", origins: [app] })
      for (const origin of ["https://evil.example", "http://app.example", "null"]) {
        const { code, headers, status } = yield* refusal(baseUrl, { headers: { origin } })
        assert.deepStrictEqual([status, code], [403, "origin_not_allowed"])
        assert.isNull(headers.get("access-control-allow-origin"))
      }
    }).pipe(Effect.scoped)
  )

  it.live("by default only the gateway's own origin is allowed", () =>
    Effect.gen(function* () {
      const server = yield* serve(answerImages)
      const baseUrl = yield* gatewayTo({ upstream: server.baseUrl })
      assert.strictEqual((yield* refusal(baseUrl, { headers: { origin: app } })).status, 403)
      const own = { origin: new URL(baseUrl).origin, "sec-fetch-site": "same-origin" }
      assert.strictEqual((yield* call(baseUrl, { headers: own })).status, 200)
    }).pipe(Effect.scoped)
  )

  it.live("over plain HTTP, the gateway's own origin is refused with the name of the option that allows it", () =>
    Effect.gen(function* () {
      // Over plain HTTP, a browser sends sec-fetch-site only to localhost, and a page that reaches the gateway by DNS
      // rebinding has the origin of the host header too.
      const server = yield* serve(answerImages)
      const baseUrl = yield* gatewayTo({ upstream: server.baseUrl })
      const { message, status } = yield* refusal(baseUrl, { headers: { origin: new URL(baseUrl).origin } })
      assert.strictEqual(status, 403)
      assert.match(message, /`origins`.*plain HTTP/)
    }).pipe(Effect.scoped)
  )

  it.live("pages of an allowed origin can read replies, errors and the headers that clients use", () =>
    Effect.gen(function* () {
      const server = yield* serve(answerImages)
      const baseUrl = yield* gatewayTo({ upstream: server.baseUrl, origins: [app, "https://other.example"] })
      const replies = [
        yield* call(baseUrl, { headers: { origin: app } }),
        yield* call(baseUrl, { headers: { origin: app }, key: "wrong" })
      ]
      for (const { headers } of replies) {
        assert.strictEqual(headers.get("access-control-allow-origin"), app)
        assert.include(headers.get("vary"), "Origin")
        for (const name of ["retry-after", "x-should-retry", "x-request-id", "ratelimit-remaining"]) {
          assert.include(headers.get("access-control-expose-headers"), name)
        }
      }
    }).pipe(Effect.scoped)
  )

  it.live("cookies of an allowed origin are accepted only with `credentials`", () =>
    Effect.gen(function* () {
      const server = yield* serve(answerImages)
      for (const credentials of [true, false]) {
        const baseUrl = yield* gatewayTo({ upstream: server.baseUrl, origins: [`${app}/`], credentials })
        const { headers } = yield* call(baseUrl, { headers: { origin: app } })
        assert.strictEqual(headers.get("access-control-allow-origin"), app)
        assert.strictEqual(headers.get("access-control-allow-credentials"), credentials ? "true" : null)
      }
    }).pipe(Effect.scoped)
  )

  it.live("a preflight allows the attempt id for an allowed origin, and nothing for another", () =>
    Effect.gen(function* () {
      const baseUrl = yield* gatewayTo({ upstream: "http://127.0.0.1:1", origins: [app] })
      const preflight = (origin: string) =>
        Effect.promise(() =>
          fetch(`${baseUrl}/images/generations`, {
            method: "OPTIONS",
            headers: {
              origin,
              "access-control-request-method": "POST",
              "access-control-request-headers": "authorization,content-type,x-attempt-id"
            }
          })
        )
      const allowed = yield* preflight(app)
      assert.strictEqual(allowed.status, 204)
      assert.strictEqual(allowed.headers.get("access-control-allow-origin"), app)
      assert.strictEqual(allowed.headers.get("access-control-allow-methods"), "POST, GET")
      assert.include(allowed.headers.get("access-control-allow-headers"), "x-attempt-id")
      assert.strictEqual(allowed.headers.get("access-control-max-age"), "600")
      assert.isNull((yield* preflight("https://evil.example")).headers.get("access-control-allow-origin"))
    }).pipe(Effect.scoped)
  )
})

describe("rules", () => {
  const invalid = Effect.fnUntraced(function* (body: unknown, rules?: ImagesGateway.Rules) {
    const baseUrl = yield* gatewayTo({ upstream: "http://127.0.0.1:1", ...(rules === undefined ? {} : { rules }) })
    const { code, message, param, status, type } = yield* refusal(baseUrl, { body })
    assert.deepStrictEqual([status, type, code], [400, "invalid_request_error", "invalid_value"])
    return { message, param }
  }, Effect.scoped)

  it.live.each<readonly [param: string, params: object]>([
    ["model", { model: "dall-e-3" }],
    ["size", { size: "4096x4096" }],
    ["n", { n: 11 }],
    ["n", { n: "2" }],
    ["prompt", { prompt: "x".repeat(4001) }],
    ["prompt", { prompt: "" }],
    ["prompt", { prompt: null }],
    ["partial_images", { partial_images: 1 }],
    ["partial_images", { partial_images: 4, stream: true }],
    ["output_compression", { output_compression: 101 }],
    ["style", { style: "vivid" }],
    ["stream", { stream: "yes" }]
  ])("by default the 400 names the param %s for %o", ([param, params]) =>
    Effect.gen(function* () {
      const error = yield* invalid({ prompt: "A sea otter", ...params })
      assert.strictEqual(error.param, param)
      assert.include(error.message, `'${param}'`)
    })
  )

  it.live("all problems are reported at once", () =>
    Effect.gen(function* () {
      const { message } = yield* invalid({ prompt: "x", model: "sdxl", size: "1x1", n: 2, output_compression: 101 })
      for (const param of ["model", "size", "'n'", "output_compression"]) assert.include(message, param)
    })
  )

  it.live("a wrong type is reported in plain words, with the other problems", () =>
    Effect.gen(function* () {
      const { message } = yield* invalid({ prompt: "x", n: "2", output_compression: 101, style: 1, stream: "yes" })
      assert.strictEqual(
        message,
        "Invalid request: 'n' must be a number (got a string); 'output_compression' must be 0 to 100 (got 101); " +
          "'stream' must be true or false (got a string); 'style' is not a known param."
      )
    })
  )

  it.live("your rules replace the defaults", () =>
    Effect.gen(function* () {
      const rules = { models: ["sdxl"], sizes: ["512x512"], n: 4, promptLength: 5 }
      const server = yield* serve(answerImages)
      const baseUrl = yield* gatewayTo({ upstream: server.baseUrl, rules })
      const body = { prompt: "🦦🦦🦦🦦🦦", model: "sdxl", size: "512x512", n: 4 }
      assert.strictEqual((yield* call(baseUrl, { body })).status, 200)
      assert.strictEqual((yield* call(baseUrl, { body: { ...body, model: undefined, n: 1 } })).status, 200)
      assert.include(server.requests[1]?.body, '"model":"sdxl"')
      assert.strictEqual((yield* invalid({ ...body, prompt: "otters" }, rules)).param, "prompt")
      assert.strictEqual((yield* invalid({ ...body, size: undefined }, rules)).param, "size")
      assert.strictEqual((yield* invalid({ ...body, model: "sd3" }, rules)).param, "model")
      assert.strictEqual((yield* invalid({ ...body, n: 5 }, rules)).param, "n")
      const { message } = yield* invalid({ ...body, prompt: "🦦🦦🦦🦦🦦🦦" }, rules)
      assert.include(message, "(got 6 characters)")
    }).pipe(Effect.scoped)
  )

  it.live("a body that is not JSON is a 400, and another content type is a 415", () =>
    Effect.gen(function* () {
      const baseUrl = yield* gatewayTo({ upstream: "http://127.0.0.1:1" })
      for (const body of ["", "{", "[]", "null"]) {
        const { message, status } = yield* refusal(baseUrl, { body })
        assert.strictEqual(status, 400)
        assert.match(message, /^Invalid request: the body must be (valid JSON|a JSON object)\.$/)
      }
      const headers = { "content-type": "text/plain" }
      assert.strictEqual((yield* refusal(baseUrl, { headers })).status, 415)
    }).pipe(Effect.scoped)
  )
})

describe("limits", () => {
  it.live("images over the caller's limit are a 429 with the time to wait; other callers are not affected", () =>
    Effect.gen(function* () {
      const server = yield* serve(answerImages)
      const baseUrl = yield* gatewayTo({
        upstream: server.baseUrl,
        rules: { models: ["sdxl"], n: 2 },
        limits: { images: 3, window: "1 hour" }
      })
      const body = { prompt: "x", model: "sdxl", n: 2 }
      const first = yield* call(baseUrl, { body })
      assert.strictEqual(first.headers.get("ratelimit-limit"), "3")
      assert.strictEqual(first.headers.get("ratelimit-remaining"), "1")
      assert.isAbove(Number(first.headers.get("ratelimit-reset")), Date.now() / 1000)
      const { code, headers, status } = yield* refusal(baseUrl, { body })
      assert.deepStrictEqual([status, code], [429, "rate_limit_exceeded"])
      assert.isAbove(Number(headers.get("retry-after")), 0)
      assert.strictEqual((yield* call(baseUrl, { body, key: bob })).status, 200)
      assert.strictEqual(server.requests.length, 2)
    }).pipe(Effect.scoped)
  )

  it.live("more images than the caller's limit are a 400, because no wait would help", () =>
    Effect.gen(function* () {
      const baseUrl = yield* gatewayTo({ upstream: "http://127.0.0.1:1", rules: { n: 10 }, limits: { images: 3 } })
      const { message, status } = yield* refusal(baseUrl, { body: { prompt: "x", n: 4 } })
      assert.strictEqual(status, 400)
      assert.include(message, "'n' must be at most 3 on this gateway (got 4)")
    }).pipe(Effect.scoped)
  )

  it.live("a refused request does not count, a request that may have been charged for does", () =>
    Effect.gen(function* () {
      let status = 400
      const server = yield* serve((_, response) => response.writeHead(status).end("{}"))
      const baseUrl = yield* gatewayTo({ upstream: server.baseUrl, limits: { images: 1, window: "1 hour" } })
      for (const [upstreamStatus, refused] of [
        [400, 400],
        [429, 429],
        [403, 502]
      ] as const) {
        status = upstreamStatus
        assert.strictEqual((yield* call(baseUrl)).status, refused)
      }
      status = 500
      assert.strictEqual((yield* call(baseUrl)).status, 502)
      const { headers, message, status: limited } = yield* refusal(baseUrl)
      assert.strictEqual(limited, 429)
      assert.strictEqual(
        message,
        `A limit of images or requests is reached. Try again in ${headers.get("retry-after")} s.`
      )
      assert.strictEqual(server.requests.length, 4)
    }).pipe(Effect.scoped)
  )

  it.live("a body over the limit is a 413, with and without content-length", () =>
    Effect.gen(function* () {
      const server = yield* serve(answerImages)
      const baseUrl = yield* gatewayTo({ upstream: server.baseUrl, limits: { bodySize: 200 } })
      const body = { prompt: "x".repeat(200) }
      for (const large of [body, new Blob([JSON.stringify(body)]).stream()]) {
        const { message, status } = yield* refusal(baseUrl, { body: large })
        assert.strictEqual(status, 413)
        assert.include(message, "200 bytes")
      }
      assert.strictEqual((yield* call(baseUrl)).status, 200)
    }).pipe(Effect.scoped)
  )
})
