import { assert, describe, it } from "@effect/vitest"
import { Callers, type ImagesGateway } from "@effect-gradient/gateway"
import { Effect, Redacted } from "effect"
import { Headers } from "effect/http"
import { randomUUID } from "node:crypto"
import { alice, answerImages, bob, call, decodeError, gatewayTo, refusal, textOf } from "./support/gateway.ts"
import { serve } from "../../node/test/support/server.ts"

describe("who may call", () => {
  it.live("no credentials, wrong ones, and those of another scheme are 401", () =>
    Effect.gen(function* () {
      const baseUrl = yield* gatewayTo({ behind: "http://127.0.0.1:1" })
      const basic = { authorization: `Basic ${alice}` }
      for (const options of [{ key: "" }, { key: "wrong" }, { key: `${alice}x` }, { key: "", headers: basic }]) {
        const { code, headers, status, type } = yield* refusal(baseUrl, options)
        assert.deepStrictEqual([status, type, code], [401, "authentication_error", "invalid_api_key"])
        assert.strictEqual(headers.get("www-authenticate"), "Bearer")
      }
    }).pipe(Effect.scoped)
  )

  it.effect("each key is a caller of its own, and its id does not hold it", () =>
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

describe("keys that are blank", () => {
  it.effect("let nobody in, with or without a key", () =>
    Effect.gen(function* () {
      const { identify } = yield* Callers.Callers
      for (const headers of [{}, { authorization: "Bearer " }, { authorization: "Bearer x" }]) {
        assert.strictEqual((yield* Effect.flip(identify(Headers.fromInput(headers))))._tag, "Unauthorized")
      }
    }).pipe(Effect.provide(Callers.layerKeys([Redacted.make(""), Redacted.make(" ")])))
  )
})

describe("which methods", () => {
  it.live("a method other than POST is 405 with those that are allowed, and no reply is kept", () =>
    Effect.gen(function* () {
      const baseUrl = yield* gatewayTo({ behind: "http://127.0.0.1:1" })
      const ask = (method: string, path: string) => Effect.promise(() => fetch(`${baseUrl}${path}`, { method }))
      for (const method of ["GET", "HEAD", "PUT", "DELETE"]) {
        const response = yield* ask(method, "/images/generations")
        assert.deepStrictEqual([response.status, response.headers.get("allow")], [405, "POST, OPTIONS"])
        if (method === "HEAD") continue
        assert.include((yield* decodeError(yield* textOf(response))).error.message, "POST")
      }
      const kept = yield* ask("GET", `/images/generations/${randomUUID()}`)
      assert.strictEqual(kept.status, 404)
      assert.strictEqual((yield* decodeError(yield* textOf(kept))).error.type, "not_found_error")
    }).pipe(Effect.scoped)
  )
})

describe("which origins", () => {
  const app = "https://app.example"

  it.live("a foreign origin is 403, and a page of it may read nothing", () =>
    Effect.gen(function* () {
      const baseUrl = yield* gatewayTo({ behind: "http://127.0.0.1:1", origins: [app] })
      for (const origin of ["https://evil.example", "http://app.example", "null"]) {
        const { code, headers, status } = yield* refusal(baseUrl, { headers: { origin } })
        assert.deepStrictEqual([status, code], [403, "origin_not_allowed"])
        assert.isNull(headers.get("access-control-allow-origin"))
      }
    }).pipe(Effect.scoped)
  )

  it.live("without cors every origin is foreign but the gateway's own", () =>
    Effect.gen(function* () {
      const server = yield* serve(answerImages)
      const baseUrl = yield* gatewayTo({ behind: server.baseUrl })
      assert.strictEqual((yield* refusal(baseUrl, { headers: { origin: app } })).status, 403)
      const own = { origin: new URL(baseUrl).origin, "sec-fetch-site": "same-origin" }
      assert.strictEqual((yield* call(baseUrl, { headers: own })).status, 200)
    }).pipe(Effect.scoped)
  )

  it.live("an allowed origin may read replies and refusals, and the headers that clients go by", () =>
    Effect.gen(function* () {
      const server = yield* serve(answerImages)
      const baseUrl = yield* gatewayTo({ behind: server.baseUrl, origins: [app, "https://other.example"] })
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
        const baseUrl = yield* gatewayTo({ behind: server.baseUrl, origins: [`${app}/`], credentials })
        const { headers } = yield* call(baseUrl, { headers: { origin: app } })
        assert.strictEqual(headers.get("access-control-allow-origin"), app)
        assert.strictEqual(headers.get("access-control-allow-credentials"), credentials ? "true" : null)
      }
    }).pipe(Effect.scoped)
  )

  it.live("a preflight lets the allowed origin send the attempt id, and no other origin anything", () =>
    Effect.gen(function* () {
      const baseUrl = yield* gatewayTo({ behind: "http://127.0.0.1:1", origins: [app] })
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
      assert.strictEqual(allowed.headers.get("access-control-allow-methods"), "POST")
      assert.include(allowed.headers.get("access-control-allow-headers"), "x-attempt-id")
      assert.strictEqual(allowed.headers.get("access-control-max-age"), "600")
      assert.isNull((yield* preflight("https://evil.example")).headers.get("access-control-allow-origin"))
    }).pipe(Effect.scoped)
  )
})

describe("what may be asked", () => {
  const invalid = Effect.fnUntraced(function* (body: unknown, rules?: ImagesGateway.Rules) {
    const baseUrl = yield* gatewayTo({ behind: "http://127.0.0.1:1", ...(rules === undefined ? {} : { rules }) })
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
  ])("by default, %s of %o is refused by its name", ([param, params]) =>
    Effect.gen(function* () {
      const told = yield* invalid({ prompt: "A sea otter", ...params })
      assert.strictEqual(told.param, param)
      assert.include(told.message, `'${param}'`)
    })
  )

  it.live("everything that is wrong is told at once", () =>
    Effect.gen(function* () {
      const { message } = yield* invalid({ prompt: "x", model: "sdxl", size: "1x1", n: 2, output_compression: 101 })
      for (const param of ["model", "size", "'n'", "output_compression"]) assert.include(message, param)
    })
  )

  it.live("a type mistake is told in plain words, beside what else is wrong", () =>
    Effect.gen(function* () {
      const { message } = yield* invalid({ prompt: "x", n: "2", output_compression: 101, style: 1, stream: "yes" })
      assert.strictEqual(
        message,
        "Invalid request: 'n' must be a number (got a string); 'output_compression' must be 0 to 100 (got 101); " +
          "'stream' must be true or false (got a string); 'style' is not a known param."
      )
    })
  )

  it.live("rules of your own take the place of the defaults", () =>
    Effect.gen(function* () {
      const rules = { models: ["sdxl"], sizes: ["512x512"], n: 4, promptLength: 5 }
      const server = yield* serve(answerImages)
      const baseUrl = yield* gatewayTo({ behind: server.baseUrl, rules })
      const body = { prompt: "🦦🦦🦦🦦🦦", model: "sdxl", size: "512x512", n: 4 }
      assert.strictEqual((yield* call(baseUrl, { body })).status, 200)
      assert.strictEqual((yield* call(baseUrl, { body: { ...body, model: undefined, n: 1 } })).status, 200)
      assert.include(server.requests[1]?.body, '"model":"sdxl"')
      assert.strictEqual((yield* invalid({ ...body, prompt: "otters" }, rules)).param, "prompt")
      assert.strictEqual((yield* invalid({ ...body, size: undefined }, rules)).param, "size")
      assert.strictEqual((yield* invalid({ ...body, model: "sd3" }, rules)).param, "model")
      assert.strictEqual((yield* invalid({ ...body, n: 5 }, rules)).param, "n")
    }).pipe(Effect.scoped)
  )

  it.live("a body that is not JSON is 400, and one of another type 415", () =>
    Effect.gen(function* () {
      const baseUrl = yield* gatewayTo({ behind: "http://127.0.0.1:1" })
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

describe("how much may be asked", () => {
  it.live("images over the caller's limit are 429 with the time to wait; other callers are not concerned", () =>
    Effect.gen(function* () {
      const server = yield* serve(answerImages)
      const baseUrl = yield* gatewayTo({
        behind: server.baseUrl,
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

  it.live("a request that was refused does not count, and one that may have been charged for does", () =>
    Effect.gen(function* () {
      let status = 400
      const server = yield* serve((_, response) => response.writeHead(status).end("{}"))
      const baseUrl = yield* gatewayTo({ behind: server.baseUrl, limits: { images: 1, window: "1 hour" } })
      for (const [behind, refused] of [
        [400, 400],
        [429, 429],
        [403, 502]
      ] as const) {
        status = behind
        assert.strictEqual((yield* call(baseUrl)).status, refused)
      }
      status = 500
      assert.strictEqual((yield* call(baseUrl)).status, 502)
      const { headers, message, status: limited } = yield* refusal(baseUrl)
      assert.strictEqual(limited, 429)
      assert.strictEqual(message, `Too many images were asked for. Try again in ${headers.get("retry-after")} s.`)
      assert.strictEqual(server.requests.length, 4)
    }).pipe(Effect.scoped)
  )

  it.live("a body over the limit is 413, with a length and without", () =>
    Effect.gen(function* () {
      const server = yield* serve(answerImages)
      const baseUrl = yield* gatewayTo({ behind: server.baseUrl, limits: { bodySize: 200 } })
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
