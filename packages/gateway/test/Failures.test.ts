import { assert, describe, it } from "@effect/vitest"
import { GradientError, Images, RetryPolicy } from "@effect-gradient/core"
import * as ImagesLimit from "@effect-gradient/core/ImagesLimit"
import { ApiError } from "../src/index.ts"
import { NodeImages } from "@effect-gradient/node"
import { Effect, Layer, Redacted } from "effect"
import { RateLimiter } from "effect/persistence"
import type { ServerResponse } from "node:http"
import OpenAI from "openai"
import {
  alice,
  answerImages,
  asStream,
  call,
  type Call,
  decodeError,
  gatewayTo,
  image,
  reader,
  realKey,
  refusal,
  streaming,
  textOf
} from "./support/gateway.ts"
import { completed, eventually, partialImage, serve } from "../../node/test/support/server.ts"

describe("failures of a durable generation", () => {
  it("have the status that core gives them, and the key is not shown", () => {
    const expired = GradientError.fromReason(new GradientError.ExpiredError({ key: "alice/secret" }))
    const { error, status } = ApiError.fromGradientError(expired)
    assert.strictEqual(status, 410)
    assert.strictEqual(error.message, "The images of this request, if it had any, have been removed.")
  })
})

describe("a budget that is used up", () => {
  it("is the operator's fault, says that it need not be tried again, and shows no amounts", () => {
    const reason = new GradientError.BudgetExceededError({ of: "money", limit: 20, left: 0.125, requested: 0.25 })
    const { error, headers, status } = ApiError.fromGradientError(GradientError.fromReason(reason))
    assert.deepStrictEqual([status, error.code, headers["x-should-retry"]], [502, "insufficient_quota", "false"])
    assert.strictEqual(error.message, "The image cannot be generated now: not enough of the budget is left.")
  })
})

describe("a rate limiter that cannot be reached", () => {
  const failing = Effect.fail(
    new RateLimiter.RateLimiterError({ reason: new RateLimiter.RateLimitStoreError({ message: "no Redis" }) })
  )
  const limiterStore = Layer.succeed(RateLimiter.RateLimiterStore, {
    fixedWindow: () => failing,
    tokenBucket: () => failing,
    adaptiveConsume: () => failing,
    adaptiveFeedback: () => failing
  })

  it.live("is named in a 503 that can be retried, and nothing is sent", () =>
    Effect.gen(function* () {
      const server = yield* serve(answerImages)
      const baseUrl = yield* gatewayTo({ upstream: server.baseUrl, limiterStore })
      for (const body of [{ prompt: "A sea otter" }, asStream]) {
        const { code, headers, message, status } = yield* refusal(baseUrl, { body })
        assert.strictEqual(
          message,
          "The gateway's rate limiter cannot be used now. Nothing was sent. Try again in 1 s."
        )
        assert.deepStrictEqual([status, code, headers.get("retry-after")], [503, "rate_limiter_unreachable", "1"])
      }
      const seen = yield* Images.generate({ prompt: "x" }, { retry: RetryPolicy.none }).pipe(
        Effect.flip,
        Effect.provide(NodeImages.layer({ baseUrl, modelAccessKey: Redacted.make(alice) }))
      )
      assert.deepStrictEqual([seen.isRetryable, seen.mayHaveBeenCharged], [true, false])
      assert.strictEqual(server.requests.length, 0)
    }).pipe(Effect.scoped)
  )

  it.live("is also named if it is that of `ImagesLimit`", () =>
    Effect.gen(function* () {
      const images = yield* Layer.build(
        ImagesLimit.layer({ limit: 1 }).pipe(
          Layer.provide([
            NodeImages.layer({ baseUrl: "http://127.0.0.1:1" }),
            RateLimiter.layer.pipe(Layer.provide(limiterStore))
          ])
        )
      )
      const failed = yield* Images.generate({ prompt: "x" }, { retry: RetryPolicy.none }).pipe(
        Effect.flip,
        Effect.provide(images)
      )
      const { error, status } = ApiError.fromGradientError(failed)
      assert.deepStrictEqual([status, error.code], [503, "rate_limiter_unreachable"])
      assert.include(error.message, "rate limiter")
    }).pipe(Effect.scoped)
  )
})

describe("failures of the upstream", () => {
  const details = { server: "nginx/1.27", location: "http://10.0.0.7/", "x-internal": realKey }

  /**
   * Returns the error that a caller gets if the service replies with this status, these headers and this body. Asserts
   * that the error's body and headers contain no details of the reply.
   */
  const failure = Effect.fnUntraced(function* (
    status: number,
    headers: Record<string, string>,
    body: string,
    request?: Call
  ) {
    const server = yield* serve((_, response) => {
      response.writeHead(status, { ...details, ...headers })
      response.end(body)
    })
    const response = yield* call(yield* gatewayTo({ upstream: server.baseUrl }), request)
    const text = yield* textOf(response)
    const received = text + JSON.stringify([...response.headers])
    for (const detail of [...Object.values(details), server.baseUrl, "secret"]) assert.notInclude(received, detail)
    return { status: response.status, headers: response.headers, ...(yield* decodeError(text)).error }
  }, Effect.scoped)

  const error = (code: string | null, param: string | null = null) =>
    JSON.stringify({ error: { message: `secret ${realKey} at http://10.0.0.7`, type: "secret", param, code } })

  for (const body of [{ prompt: "A sea otter" }, asStream]) {
    it.live(
      `keep their status only if the caller can correct them, for ${"stream" in body ? "a stream" : "JSON"}`,
      () =>
        Effect.gen(function* () {
          const limited = yield* failure(429, { "retry-after": "7" }, error(null), { body })
          assert.deepStrictEqual([limited.status, limited.code], [429, "rate_limit_exceeded"])
          assert.strictEqual(limited.headers.get("retry-after"), "7")
          assert.isNull(limited.headers.get("x-should-retry"))
          const answers = [
            [400, 400],
            [409, 409],
            [422, 422],
            [408, 504],
            [504, 504],
            // 401, 402 and 403 concern the operator's key or account, not the caller's key. A 404 that is not about a
            // model concerns the operator's base URL. Only the operator can correct them.
            [404, 502],
            [401, 502],
            [402, 502],
            [403, 502],
            [500, 502],
            [502, 502],
            [503, 502]
          ] as const
          for (const [upstreamStatus, status] of answers) {
            assert.strictEqual((yield* failure(upstreamStatus, {}, error("x"), { body })).status, status)
          }
          assert.strictEqual((yield* failure(418, {}, "<h1>secret</h1>", { body })).status, 400)
          assert.strictEqual((yield* failure(529, {}, "<h1>secret</h1>", { body })).status, 502)
          assert.strictEqual((yield* failure(307, {}, "", { body })).status, 502)
        })
    )
  }

  it.live("say that the operator must act if there is no endpoint, and name a model that is not available", () =>
    Effect.gen(function* () {
      const nothing = yield* failure(404, {}, "<h1>404 page not found</h1>")
      assert.deepStrictEqual([nothing.status, nothing.code], [502, "not_configured"])
      assert.include(nothing.message, "until the operator of this service corrects its settings")
      assert.strictEqual(nothing.headers.get("x-should-retry"), "false")
      const noModel = yield* failure(404, {}, error("model_not_found", "model"))
      assert.deepStrictEqual([noModel.status, noModel.code], [404, "model_not_found"])
      assert.include(noModel.message, "This model is not available.")
    })
  )

  it.live("pass on the param and the code only if they are plain names", () =>
    Effect.gen(function* () {
      const refused = yield* failure(400, {}, error("moderation_blocked", "prompt"))
      assert.deepStrictEqual([refused.code, refused.param], ["moderation_blocked", "prompt"])
      const odd = yield* failure(400, {}, error("secret http://10.0.0.7", realKey))
      assert.deepStrictEqual([odd.code, odd.param], [null, null])
    })
  )

  it.live("have messages for the user: without the operator's settings, and with the charge mentioned once", () =>
    Effect.gen(function* () {
      for (const status of [400, 401, 402, 403, 404, 409, 422, 429, 500, 503]) {
        const server = yield* serve((_, response) => response.writeHead(status).end())
        const baseUrl = yield* gatewayTo({ upstream: server.baseUrl })
        const { message } = yield* refusal(baseUrl)
        assert.notMatch(message, /key|credit of|GRADIENT_|cloud\.digitalocean|gateway/i)
        const failed = yield* Images.generate({ prompt: "x" }, { retry: RetryPolicy.none }).pipe(
          Effect.flip,
          Effect.provide(NodeImages.layer({ baseUrl, modelAccessKey: Redacted.make(alice) }))
        )
        assert.isBelow(failed.message.match(/charged/g)?.length ?? 0, 2)
        // With these statuses below 500, the service refused the request, so nothing was charged for.
        assert.strictEqual(failed.mayHaveBeenCharged, status >= 500)
      }
    }).pipe(Effect.scoped)
  )

  it.live("are logged with the ids of the request and the caller, and without the key", () =>
    Effect.gen(function* () {
      const lines: Array<string> = []
      const server = yield* serve((_, response) => {
        response.writeHead(500)
        response.end(error(null))
      })
      const baseUrl = yield* gatewayTo({ upstream: server.baseUrl, log: (line) => lines.push(line) })
      const { headers } = yield* refusal(baseUrl)
      const line = lines.join("")
      assert.include(line, "at http://10.0.0.7")
      assert.include(line, `"requestId":"${headers.get("x-request-id")}"`)
      assert.match(line, /"caller":"[0-9a-f]{12}"/)
      assert.notInclude(line, realKey)
    }).pipe(Effect.scoped)
  )

  it.live("are logged once, also if they come late or within a reply", () =>
    Effect.gen(function* () {
      const { answer, open } = streaming()
      const lines: Array<string> = []
      const upstream = (yield* serve(answer)).baseUrl
      const baseUrl = yield* gatewayTo({ upstream, log: (line) => lines.push(line) })
      const response = yield* call(baseUrl, { body: asStream })
      open[0]?.socket?.resetAndDestroy()
      assert.include(yield* textOf(response), "event: error")
      assert.strictEqual(lines.length, 1)
      assert.include(lines[0], `"requestId":"${response.headers.get("x-request-id")}"`)
    }).pipe(Effect.scoped)
  )

  it.live("that may have been charged for are not retried, by openai either", () =>
    Effect.gen(function* () {
      assert.strictEqual((yield* failure(500, {}, "")).headers.get("x-should-retry"), "false")
      assert.isNull((yield* failure(503, { "retry-after": "1" }, "")).headers.get("x-should-retry"))
      const server = yield* serve((request) => request.socket.resetAndDestroy())
      const openai = new OpenAI({ apiKey: alice, baseURL: yield* gatewayTo({ upstream: server.baseUrl }) })
      const thrown = yield* Effect.promise(() =>
        openai.images.generate({ prompt: "x" }).then(
          () => undefined,
          (cause: unknown) => cause
        )
      )
      assert.isTrue(thrown instanceof OpenAI.APIError && thrown.status === 502)
      assert.strictEqual(server.requests.length, 1)
    }).pipe(Effect.scoped)
  )

  it.live("before anything was sent are a 503 with retry-after, which clients retry", () =>
    Effect.gen(function* () {
      const gone = yield* Effect.scoped(Effect.map(serve(answerImages), ({ baseUrl }) => baseUrl))
      const baseUrl = yield* gatewayTo({ upstream: gone })
      const { headers, status } = yield* refusal(baseUrl)
      assert.deepStrictEqual([status, headers.get("retry-after")], [503, "1"])
      const seen = yield* Images.generate({ prompt: "x" }, { retry: RetryPolicy.none }).pipe(
        Effect.flip,
        Effect.provide(NodeImages.layer({ baseUrl, modelAccessKey: Redacted.make(alice) }))
      )
      assert.isTrue(seen.isRetryable)
      assert.isFalse(seen.mayHaveBeenCharged)
    }).pipe(Effect.scoped)
  )

  it.live("after the headers were sent are an error event that gives the client the reason", () =>
    Effect.gen(function* () {
      const received = Promise.withResolvers<ServerResponse>()
      const server = yield* serve((_, response) => received.resolve(response))
      const baseUrl = yield* gatewayTo({ upstream: server.baseUrl, keepAlive: "20 millis" })
      const response = yield* call(baseUrl, { body: asStream })
      const upstream = yield* Effect.promise(() => received.promise)
      upstream.writeHead(429).end(error(null))
      const [, json = ""] = /event: error\ndata: (.*)\n\n$/.exec(yield* textOf(response)) ?? []
      assert.strictEqual((yield* decodeError(json)).error.code, "rate_limit_exceeded")
      assert.notInclude(json, "secret")
    }).pipe(Effect.scoped)
  )

  it.live("JSON instead of a stream is an error event if the headers were already sent", () =>
    Effect.gen(function* () {
      const received = Promise.withResolvers<() => void>()
      const server = yield* serve((request, response) => received.resolve(() => answerImages(request, response)))
      const baseUrl = yield* gatewayTo({ upstream: server.baseUrl, keepAlive: "20 millis" })
      const response = yield* call(baseUrl, { body: asStream })
      const answerNow = yield* Effect.promise(() => received.promise)
      answerNow()
      assert.match(yield* textOf(response), /event: error\ndata: \{"error":.*\}\n\n$/)
    }).pipe(Effect.scoped)
  )

  it.live.each(["\n", "\r\n"])("between two events are an error event, with the line ending %j", (lineEnd) =>
    Effect.gen(function* () {
      const event = partialImage(0, image).replaceAll("\n", lineEnd)
      const { answer, open } = streaming()
      const server = yield* serve(answer)
      const read = reader(yield* call(yield* gatewayTo({ upstream: server.baseUrl }), { body: asStream }))
      open[0]?.write(event)
      assert.strictEqual(yield* read(`${lineEnd}${lineEnd}`), event)
      open[0]?.socket?.resetAndDestroy()
      assert.match(yield* read("\n\n"), /^event: error\ndata: \{"error":.*\}\n\n$/)
    }).pipe(Effect.scoped)
  )

  it.live("within an event close the connection, so that a part of an image does not look complete", () =>
    Effect.gen(function* () {
      const { answer, open } = streaming()
      const server = yield* serve(answer)
      const response = yield* call(yield* gatewayTo({ upstream: server.baseUrl }), { body: asStream })
      open[0]?.write(completed(image).slice(0, 1000))
      yield* eventually(() => open[0]?.writableLength === 0, "half of it is sent")
      open[0]?.socket?.resetAndDestroy()
      yield* Effect.flip(Effect.tryPromise(() => response.text()))
    }).pipe(Effect.scoped)
  )
})
