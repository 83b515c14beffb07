import { describe, expect, expectTypeOf, it, vi } from "@effect/vitest"
import * as Duration from "effect/Duration"
import * as DateTime from "effect/DateTime"
import * as Effect from "effect/Effect"
import * as Redacted from "effect/Redacted"
import * as Stream from "effect/Stream"
import { inspect } from "node:util"
import { GradientError, Images, RetryPolicy } from "../src/index.ts"
import * as Service from "./support/Service.ts"
import * as Wire from "./support/Wire.ts"

const prompt = "a sea otter"
const once = { retry: RetryPolicy.none }

/** The reason with which `generate` fails if the service replies with `answer`. */
const answeredWith = (answer: () => Service.Answer) =>
  Images.generate({ prompt }, once).pipe(Service.reasonOf, Effect.provide(Service.make(answer).layer))

/** The reason with which `generateStream` fails if the service replies with `answer`. */
const streamedWith = (answer: () => Service.Answer) =>
  Images.generateStream({ prompt }, once).pipe(
    Stream.runDrain,
    Service.reasonOf,
    Effect.provide(Service.make(answer).layer)
  )

const percent = (character: string) => `%${character.charCodeAt(0).toString(16)}`
const unicode = (character: string) => `\\u${character.charCodeAt(0).toString(16).padStart(4, "0")}`

const errorBody = (code: string, message = "no") => ({ error: { message, type: "t", param: "p", code } })

describe("GradientError", () => {
  describe("by status", () => {
    it.effect.each([
      { status: 400, tag: "BadRequestError", retryable: false, charged: false },
      { status: 401, tag: "AuthenticationError", retryable: false, charged: false },
      { status: 402, tag: "QuotaExceededError", retryable: false, charged: false },
      { status: 403, tag: "PermissionDeniedError", retryable: false, charged: false },
      { status: 404, tag: "NotFoundError", retryable: false, charged: false },
      { status: 408, tag: "BadRequestError", retryable: true, charged: false },
      { status: 409, tag: "ConflictError", retryable: true, charged: false },
      { status: 413, tag: "BadRequestError", retryable: false, charged: false },
      { status: 422, tag: "UnprocessableEntityError", retryable: false, charged: false },
      { status: 429, tag: "RateLimitError", retryable: true, charged: false },
      { status: 500, tag: "InternalServerError", retryable: true, charged: true },
      { status: 502, tag: "InternalServerError", retryable: true, charged: true },
      { status: 503, tag: "InternalServerError", retryable: true, charged: true },
      { status: 529, tag: "InternalServerError", retryable: true, charged: true },
      { status: 302, tag: "InvalidResponseError", retryable: false, charged: false }
    ])("$status is $tag", ({ charged, retryable, status, tag }) =>
      Effect.gen(function* () {
        for (const reason of [
          yield* answeredWith(() => new Response(null, { status })),
          yield* streamedWith(() => new Response(null, { status }))
        ]) {
          expect(reason._tag).toBe(tag)
          expect(reason.status).toBe(status)
          expect(reason.isRetryable).toBe(retryable)
          expect(reason.mayHaveBeenCharged).toBe(charged)
          expect(reason.message).toContain(`(${status})`)
          expect(reason.message.includes("may have been charged")).toBe(charged)
        }
      })
    )

    it.effect("503 with retry-after is known not to be charged", () =>
      Effect.gen(function* () {
        const reason = yield* answeredWith(() => new Response(null, { status: 503, headers: { "retry-after": "7" } }))
        expect(reason.mayHaveBeenCharged).toBe(false)
        expect(reason.retryAfter).toEqual(Duration.seconds(7))
      })
    )

    it.effect("x-should-retry changes isRetryable, never mayHaveBeenCharged", () =>
      Effect.gen(function* () {
        const answer = (status: number, word: string) => () =>
          new Response(null, { status, headers: { "x-should-retry": word } })
        const refused = yield* answeredWith(answer(400, "true"))
        expect(refused).toMatchObject({ isRetryable: true, mayHaveBeenCharged: false, shouldRetry: true })
        const limited = yield* answeredWith(answer(429, "false"))
        expect(limited).toMatchObject({ isRetryable: false, shouldRetry: false })
        expect(yield* answeredWith(answer(500, "true"))).toMatchObject({ mayHaveBeenCharged: true })
      })
    )

    it.effect("a redirect is not followed, and the error has its target", () =>
      Effect.gen(function* () {
        const service = Service.make(
          () => new Response(null, { status: 307, headers: { location: "https://elsewhere.test/v1?token=hidden" } })
        )
        const reason = yield* Images.generate({ prompt }).pipe(Service.reasonOf, Effect.provide(service.layer))
        expect(service.asked.length).toBe(1)
        expect(reason.message).toContain(
          "a redirect to https://elsewhere.test/v1?token=REDACTED, which is not followed"
        )
      })
    )

    it.effect("429 has the limits from the headers", () =>
      Effect.gen(function* () {
        const limited = (headers: Record<string, string>) =>
          Images.generate({ prompt }, once).pipe(
            Service.failsWith("RateLimitError"),
            Effect.provide(Service.make(() => new Response(null, { status: 429, headers })).layer)
          )
        const resetAt = DateTime.makeUnsafe(1_760_000_000_000)
        const provider = yield* limited({
          "x-ratelimit-limit-requests": "60",
          "x-ratelimit-remaining-requests": "59",
          "x-ratelimit-reset-requests": "0",
          "x-ratelimit-limit-tokens-per-minute": "1000",
          "x-ratelimit-remaining-tokens-per-minute": "0",
          "x-ratelimit-reset-tokens-per-minute": "1760000000",
          "x-ratelimit-remaining-tokens-per-day": "7",
          "ratelimit-limit": "250"
        })
        expect(provider).toMatchObject({
          limit: 60,
          remaining: 59,
          tokensPerMinute: { limit: 1000, remaining: 0, resetAt },
          tokensPerDay: { remaining: 7 }
        })
        expect(provider.resetAt).toBeUndefined()
        expect(provider.headers).toMatchObject({ "x-ratelimit-limit-tokens-per-minute": "1000" })
        expect(
          yield* limited({
            "ratelimit-limit": "250",
            "ratelimit-remaining": "0",
            "ratelimit-reset": "1760000000",
            "retry-after": "12"
          })
        ).toMatchObject({ limit: 250, remaining: 0, resetAt, retryAfter: Duration.seconds(12) })
        const durations = { "20ms": 20, "6m0s": 360_000, "1m30.5s": 90_500, "1d2h": 93_600_000 }
        for (const [text, millis] of Object.entries(durations)) {
          const other = yield* limited({ "x-ratelimit-reset-requests": text })
          expect(other.resetAt).toEqual(DateTime.makeUnsafe(millis))
        }
        for (const text of ["soon", "1e99", "1m soon", "-", ""]) {
          const odd = yield* limited({ "x-ratelimit-limit-requests": "many", "x-ratelimit-reset-requests": text })
          expect([odd.limit, odd.resetAt, odd.tokensPerDay]).toEqual([undefined, undefined, undefined])
        }
      })
    )
  })

  describe("message", () => {
    it.effect("has the status only if it is not 2xx", () =>
      Effect.gen(function* () {
        const event = 'data: {"error":{"message":"no","code":"server_error"}}\n\n'
        for (const reason of [
          yield* streamedWith(() => Wire.stream([event])),
          yield* streamedWith(() => Wire.stream([Wire.event(Wire.partial(0))])),
          yield* answeredWith(() => new Response(Wire.body(["{"], new Error("reset")))),
          yield* answeredWith(() => Response.json({ error: { message: "no" } }))
        ]) {
          expect(reason.status).toBe(200)
          expect(reason.message).not.toContain("200")
        }
        const refused = yield* answeredWith(() => new Response("{}", { status: 401 }))
        expect(refused.message).toMatch(
          /^The key is missing or was refused \(401\)\. Check the key. Model access keys \(GRADIENT_MODEL_ACCESS_KEY\)/
        )
      })
    )

    it.effect("has the code if the service sends no message", () =>
      Effect.gen(function* () {
        const answer = (code: unknown) => () => Response.json({ error: { code } }, { status: 400 })
        expect((yield* answeredWith(answer("bad_size"))).message).toMatch(
          /^The request was refused \(400\): bad_size\./
        )
        expect((yield* answeredWith(answer(400))).message).toMatch(/^The request was refused \(400\)\. /)
      })
    )

    it.effect("mentions idle proxies only if a body broke or was idle", () =>
      Effect.gen(function* () {
        const proxies = "Some proxies close idle connections"
        const before = yield* answeredWith(() => Object.assign(new Error("reset"), { syscall: "read" }))
        expect(before._tag).toBe("DisconnectedError")
        expect(before.message).not.toContain(proxies)
        const within = yield* answeredWith(() => new Response(Wire.body(["{"], new Error("reset"))))
        expect(within.message).toContain(proxies)
      })
    )

    it.effect.each([
      { phase: "connect", advice: "Check the network" },
      { phase: "response", advice: "takes 2 to 4 minutes: raise `timeout`" },
      { phase: "idle", advice: "Some proxies close idle connections" },
      { phase: "deadline", advice: "Raise `deadline`" }
    ] as const)("of a timeout fits its phase: $phase", ({ advice, phase }) =>
      Effect.sync(() => {
        expect(new GradientError.RequestTimeoutError({ phase }).message).toContain(advice)
      })
    )

    it.effect("has the wait instead of the advice, in tenths of a second", () =>
      Effect.gen(function* () {
        const headers = { "retry-after-ms": "1234" }
        const { message } = yield* answeredWith(() => new Response(null, { status: 429, headers }))
        expect(message).toBe("Too many requests (429). Retry in 1.3 s.")
      })
    )

    it.effect("says where the images are", () =>
      Effect.gen(function* () {
        const some = yield* streamedWith(() => Wire.stream([Wire.event(Wire.partial(0))]))
        expect(some.message).toContain("Images that arrived are in `reason.images`.")
        expect((yield* streamedWith(() => Wire.stream([": ping\n\n"]))).message).not.toContain("images")
      })
    )

    it("has advice for every reason", () => {
      const byPhase = (["before", "after"] as const).flatMap((phase) => [
        new GradientError.JournalError({ phase }),
        new GradientError.StoreError({ phase })
      ])
      const rows = Object.entries(GradientError.reasons).filter(([tag]) => byPhase.every(({ _tag }) => _tag !== tag))
      const advices = [...byPhase, ...rows.map(([, row]) => row)].map(({ advice }) => advice)
      expect(advices.filter((advice) => !/^[A-Z].*\.$/.test(advice))).toEqual([])
    })
  })

  describe("by code", () => {
    it.effect.each([
      { status: 400, code: "moderation_blocked", tag: "ContentPolicyError" },
      { status: 400, code: "content_policy_violation", tag: "ContentPolicyError" },
      { status: 429, code: "insufficient_quota", tag: "QuotaExceededError" },
      { status: 403, code: "billing_hard_limit_reached", tag: "QuotaExceededError" },
      { status: 400, code: "invalid_api_key", tag: "BadRequestError" },
      { status: 500, code: "moderation_blocked", tag: "InternalServerError" }
    ])("$status with $code is $tag", ({ code, status, tag }) =>
      Effect.gen(function* () {
        const reason = yield* answeredWith(() => Response.json(errorBody(code), { status }))
        expect(reason._tag).toBe(tag)
        expect(reason.code).toBe(code)
        expect(reason.mayHaveBeenCharged).toBe(status >= 500)
      })
    )

    it.effect.each([
      { status: 500, code: "not_configured", charged: false },
      { status: 502, code: "insufficient_quota", charged: false },
      { status: 502, code: "in_doubt", charged: true },
      { status: 409, code: "in_doubt", charged: true },
      { status: 409, code: "duplicate_attempt", charged: true },
      { status: 409, code: "idempotency_key_reused", charged: false }
    ])("a gateway's $status with $code may have been charged for: $charged", ({ charged, code, status }) =>
      Effect.gen(function* () {
        const reason = yield* answeredWith(() => Response.json(errorBody(code), { status }))
        expect(reason.mayHaveBeenCharged).toBe(charged)
      })
    )

    it.effect("uses the type of the error if the code is unknown", () =>
      Effect.gen(function* () {
        const body = { error: { message: "no", type: "insufficient_quota", code: null } }
        expect((yield* answeredWith(() => Response.json(body, { status: 429 })))._tag).toBe("QuotaExceededError")
      })
    )

    const inStream = [
      { code: "moderation_blocked", tag: "ContentPolicyError", charged: false },
      { code: "content_policy_violation", tag: "ContentPolicyError", charged: false },
      { code: "insufficient_quota", tag: "QuotaExceededError", charged: true },
      { code: "billing_hard_limit_reached", tag: "QuotaExceededError", charged: true },
      { code: "rate_limit_exceeded", tag: "RateLimitError", charged: true },
      { code: "too_many_requests", tag: "RateLimitError", charged: true },
      { code: "invalid_api_key", tag: "AuthenticationError", charged: true },
      { code: "authentication_error", tag: "AuthenticationError", charged: true },
      { code: "invalid_request_error", tag: "BadRequestError", charged: true },
      { code: "unheard_of", tag: "InternalServerError", charged: true },
      { code: "constructor", tag: "InternalServerError", charged: true }
    ]

    it.effect.each(inStream)("an error object with code $code in a stream is $tag", ({ charged, code, tag }) =>
      Effect.gen(function* () {
        const reason = yield* streamedWith(() => Wire.stream([`data: ${JSON.stringify(errorBody(code))}\n\n`]))
        expect(reason).toMatchObject({ _tag: tag, code, param: "p", description: "no", mayHaveBeenCharged: charged })
      })
    )

    it.effect.each(inStream)(
      "an error object with code $code in a reply with status 200 is $tag",
      ({ charged, code, tag }) =>
        Effect.gen(function* () {
          const reason = yield* answeredWith(() => Response.json(errorBody(code)))
          expect(reason).toMatchObject({ _tag: tag, code, mayHaveBeenCharged: charged })
        })
    )

    it.effect("an error object with only a type is mapped by its type", () =>
      Effect.gen(function* () {
        const reason = yield* streamedWith(() => Wire.stream(['data: {"error":{"type":"rate_limit_exceeded"}}\n\n']))
        expect(reason._tag).toBe("RateLimitError")
      })
    )

    it.effect.each([
      { code: 429, tag: "RateLimitError" },
      { code: "429", tag: "RateLimitError" },
      { code: 401, tag: "AuthenticationError" },
      { code: 400, tag: "BadRequestError" },
      { code: 404, tag: "NotFoundError" },
      { code: 500, tag: "InternalServerError" },
      { code: 200, tag: "InternalServerError" }
    ])("an error object whose code is the number $code is $tag", ({ code, tag }) =>
      Effect.gen(function* () {
        const body = { error: { message: "no", code } }
        expect(yield* answeredWith(() => Response.json(body))).toMatchObject({ _tag: tag, code: String(code) })
      })
    )

    it.effect.each([
      { what: "errors", body: { errors: ["no"] }, tag: "InternalServerError" },
      {
        what: "a list in error",
        body: { error: [{ message: "no", code: "too_many_requests" }] },
        tag: "RateLimitError"
      },
      { what: "the provider's form", body: { id: "too_many_requests", message: "no" }, tag: "RateLimitError" },
      { what: "a list", body: [{ error: { message: "no", status: 401 } }], tag: "AuthenticationError" },
      { what: "a status beside a message", body: { statusCode: 403, message: "no" }, tag: "PermissionDeniedError" },
      { what: "an error that is true", body: { error: true, message: "no" }, tag: "InternalServerError" },
      { what: "success that is false", body: { success: false, message: "no" }, tag: "InternalServerError" },
      { what: "a type", body: { type: "invalid_request_error", message: "no" }, tag: "BadRequestError" }
    ])("an error in a 200 is seen by $what", ({ body, tag }) =>
      Effect.gen(function* () {
        for (const [reason, where] of [
          [yield* streamedWith(() => Wire.stream([`data: ${JSON.stringify(body)}\n\n`])), "stream"],
          ...(Array.isArray(body) ? [] : [[yield* answeredWith(() => Response.json(body)), "reply"] as const])
        ] as const) {
          expect([where, reason._tag, reason.description]).toEqual([where, tag, "no"])
        }
      })
    )

    it.effect.each([
      ...[{}, null, "", false, []].map((error) => ({ error })),
      { error: { code: null, message: "" } },
      { errors: [] },
      { message: "ok", code: 0 },
      { message: "drawn", id: "img_1" }
    ])("a picture beside %j is given out", (more) =>
      Effect.gen(function* () {
        const service = Service.make(() => Response.json(Wire.response([Wire.png()], more)))
        const response = yield* Images.generate({ prompt }, once).pipe(Effect.provide(service.layer))
        expect(response.data.length).toBe(1)
      })
    )

    it.effect("a progress report in a stream is not an error", () =>
      Effect.gen(function* () {
        const notes = [{ message: "queued" }, { type: "log", message: "drawing" }, { id: "42", message: "drawing" }]
        const service = Service.make(() =>
          Wire.stream([...notes.map((note) => `data: ${JSON.stringify(note)}\n\n`), Wire.event(Wire.completed())])
        )
        const events = yield* Images.generateStream({ prompt }, once).pipe(
          Stream.runCollect,
          Effect.provide(service.layer)
        )
        expect(events.length).toBe(1)
      })
    )

    it.effect.each([
      { what: "a named event", text: 'event: error\ndata: {"message":"no","code":"moderation_blocked"}\n\n' },
      { what: "a type", text: 'data: {"type":"error","message":"no","code":"moderation_blocked"}\n\n' },
      {
        what: "both",
        text: 'event: error\ndata: {"type":"error","error":{"message":"no","code":"moderation_blocked"}}\n\n'
      },
      { what: "the provider's form", text: 'event: error\ndata: {"id":"moderation_blocked","message":"no"}\n\n' },
      {
        what: "a name, whatever its type",
        text: 'event: error\ndata: {"type":"later","message":"no","code":"moderation_blocked"}\n\n'
      },
      {
        what: "an image of null before it",
        text: 'data: {"b64_json":null,"error":{"message":"no","code":"moderation_blocked"}}\n\n'
      }
    ])("an error in a stream is seen by $what", ({ text }) =>
      Effect.gen(function* () {
        const reason = yield* streamedWith(() => Wire.stream([text]))
        expect(reason).toMatchObject({ _tag: "ContentPolicyError", description: "no" })
      })
    )

    it.effect("an error in a stream that is not JSON becomes the message", () =>
      Effect.gen(function* () {
        const reason = yield* streamedWith(() => Wire.stream(["event: error\ndata: out of paint\n\n"]))
        expect(reason).toMatchObject({ _tag: "InternalServerError", description: "out of paint" })
      })
    )

    it.effect("a refusal by moderation after the first image may have been charged", () =>
      Effect.gen(function* () {
        const reason = yield* streamedWith(() =>
          Wire.stream([Wire.event(Wire.partial(0)), `data: ${JSON.stringify(errorBody("moderation_blocked"))}\n\n`])
        )
        expect(reason).toMatchObject({ _tag: "ContentPolicyError", mayHaveBeenCharged: true })
      })
    )
  })

  describe("description", () => {
    const page = `<html><head><title>502 Bad\n Gateway</title></head><body>nginx</body></html>`
    const upstream = JSON.stringify({ error: { message: "No paint", code: "moderation_blocked" } })
    const json = (value: unknown) => JSON.stringify(value)
    const words = [
      { what: "the models' form", body: json(errorBody("c", "No paint")) },
      { what: "the provider's form", body: '{"id":"c","message":"No paint","request_id":"r"}' },
      { what: "an error that is a text", body: '{"error":"No paint"}' },
      {
        what: "a message beside the status' name",
        body: '{"statusCode":400,"error":"Bad Request","message":"No paint"}'
      },
      { what: "error_description", body: '{"error":"invalid_request","error_description":"No paint"}' },
      { what: "detail beside error", body: '{"error":"Bad Request","detail":"No paint"}' },
      { what: "detail within error", body: '{"error":{"detail":"No paint"}}' },
      { what: "msg within error", body: '{"error":{"code":"c","msg":"No paint"}}' },
      { what: "msg", body: '{"msg":"No paint"}' },
      {
        what: "an inner error",
        body: '{"error":{"message":"Bad Request","innererror":{"code":"c","message":"No paint"}}}',
        description: "Bad Request: No paint"
      },
      {
        what: "details",
        body: '{"error":{"message":"Bad Request","details":[{"message":"No paint"},{"reason":"r"}]}}',
        description: "Bad Request: No paint"
      },
      {
        what: "a relay's upstream, in its metadata",
        body: json({ error: { message: "Provider returned error", code: 400, metadata: { raw: upstream } } }),
        description: "Provider returned error: No paint"
      },
      { what: "an error within an error", body: '{"error":{"error":{"message":"No paint"}}}' },
      { what: "an error that is true", body: '{"error":true,"message":"No paint"}' },
      { what: "a message alone", body: '{"message":"No paint"}' },
      { what: "a detail alone", body: '{"detail":"No paint"}' },
      { what: "a list at the top", body: '[{"error":{"code":400,"message":"No paint"}}]' },
      { what: "errors of texts", body: '{"errors":["No paint"]}' },
      { what: "errors of JSON:API", body: '{"errors":[{"status":"422","title":"Invalid","detail":"No paint"}]}' },
      { what: "an error that is a list", body: '{"error":[{"message":"No paint"}]}' },
      { what: "problem details", body: '{"type":"about:blank","title":"Bad","status":400,"detail":"No paint"}' },
      { what: "problem details without a detail", body: '{"type":"about:blank","title":"No paint","status":400}' },
      { what: "an upstream's error as text", body: json({ error: { message: upstream, code: 400 } }) },
      { what: "JSON within JSON", body: json(upstream) },
      { what: "a page, by its title", body: page, description: "502 Bad Gateway" },
      { what: "a page without a title", body: "<h1>No</h1>\n<p>paint</p>" },
      {
        what: "the visible words of a page",
        body: "<!doctype html><title> </title><style>a{}</style><script>x<1</script>No&#32;paint"
      },
      { what: "plain text", body: " No paint\n" },
      { what: "text with control characters", body: "\u001bNo\u0000\u202e paint".replace("\u0000", "\u0007") },
      { what: "text with brackets", body: "No <paint> {x}", description: "No <paint> {x}" },
      { what: "a list of messages", body: '{"message":["No paint","no brush"]}', description: "No paint; no brush" },
      {
        what: "FastAPI's list",
        body: '{"detail":[{"loc":["body","size"],"msg":"field required","type":"missing"}]}',
        description: "size: field required"
      },
      {
        what: "errors of fields beside a message",
        body: '{"message":"The data was invalid.","errors":{"size":["must be auto"]}}',
        description: "The data was invalid: size: must be auto"
      },
      {
        what: "words before an upstream's error",
        body: json({ message: `Upstream said 400: ${upstream}` }),
        description: "Upstream said 400: No paint"
      },
      { what: "other JSON", body: '{"a":1}', description: '{"a":1}' },
      ...["", "{}", "null", "[]", '""', '{"error":{}}', '{"error":null}', '{"message":""}', "\u0000\u0001PNG"].map(
        (body) => ({ what: `nothing: ${json(body)}`, body, description: undefined })
      )
    ].map((row) => ({ description: "No paint", ...row }))

    it.effect.each(words)("is readable from $what", ({ body, description }) =>
      Effect.gen(function* () {
        const reason = yield* answeredWith(() => new Response(body, { status: 500 }))
        expect(reason.description).toBe(description)
        if (description !== undefined) expect(reason.message).toContain(`: ${description}`)
        else expect(reason.message).not.toMatch(/[{[\]}]/)
      })
    )

    it.effect("maps an upstream's error that is passed on as text by its code", () =>
      Effect.gen(function* () {
        const body = { error: { message: upstream, type: "upstream_error", code: 400 } }
        const reason = yield* answeredWith(() => Response.json(body, { status: 400 }))
        expect(reason).toMatchObject({ _tag: "ContentPolicyError", code: "moderation_blocked" })
      })
    )

    it.effect("takes the param from FastAPI's list of errors", () =>
      Effect.gen(function* () {
        const body = { detail: [{ loc: ["body", "size"], msg: "field required", type: "missing" }] }
        expect(yield* answeredWith(() => Response.json(body, { status: 422 }))).toMatchObject({
          _tag: "UnprocessableEntityError",
          param: "size",
          type: "missing"
        })
      })
    )

    it.effect("reads a body that is deeply nested or has members with odd names", () =>
      Effect.gen(function* () {
        for (const body of [
          "[".repeat(30_000) + "]".repeat(30_000),
          '{"error":'.repeat(6_000) + "1" + "}".repeat(6_000),
          '{"detail":[{"loc":[{"toString":1}],"msg":"No paint"}]}',
          '{"errors":{"__proto__":["No paint"],"toString":{"valueOf":1}}}'
        ]) {
          expect((yield* answeredWith(() => new Response(body, { status: 500 })))._tag).toBe("InternalServerError")
          expect((yield* answeredWith(() => new Response(body)))._tag).toMatch(
            /InternalServerError|InvalidResponseError/
          )
          const event = `event: error\ndata: ${body}\n\n`
          expect((yield* streamedWith(() => Wire.stream([event])))._tag).toBe("InternalServerError")
        }
      })
    )

    it.effect("reads a hostile body in a short time", () =>
      Effect.gen(function* () {
        for (const part of ["<title", "<a", "<!--", "</script ", "<script>", "{", "[", "}", "&#1"]) {
          const body = part.repeat(65_536 / part.length)
          const start = performance.now()
          yield* answeredWith(() => new Response(body, { status: 500 }))
          yield* answeredWith(() => Response.json({ error: { message: `<p>${body}` } }, { status: 500 }))
          expect(performance.now() - start).toBeLessThan(1_000)
        }
      })
    )

    it.effect("keeps code, type, param and the request id of the body", () =>
      Effect.gen(function* () {
        expect(yield* answeredWith(() => Response.json(errorBody("c"), { status: 400 }))).toMatchObject({
          code: "c",
          type: "t",
          param: "p"
        })
        const body = { id: "c", message: "no", request_id: "req-body" }
        const inBody = yield* answeredWith(() => Response.json(body, { status: 400 }))
        expect(inBody).toMatchObject({ code: "c", requestId: "req-body" })
        expect(inBody.message).toContain("Request id: req-body.")
        const inner = { error: { message: "no", request_id: "req-inner" } }
        const within = yield* answeredWith(() => Response.json(inner, { status: 400 }))
        expect(within.requestId).toBe("req-inner")
        const beside = yield* answeredWith(() => Response.json({ ...inner, request_id: "req-beside" }, { status: 400 }))
        expect(beside.requestId).toBe("req-beside")
        const headers = { "x-request-id": "req-head" }
        expect(yield* answeredWith(() => Response.json(body, { status: 400, headers }))).toMatchObject({
          requestId: "req-head"
        })
      })
    )

    it.effect("is short, however long the message is", () =>
      Effect.gen(function* () {
        const long = "x".repeat(60_000)
        for (const body of [long, JSON.stringify(errorBody("c", long)), `<title>${long}</title>`]) {
          const reason = yield* answeredWith(() => new Response(body, { status: 500 }))
          expect(reason.message.length).toBeLessThan(1_500)
        }
      })
    )

    it.effect("reads at most 64 KiB of a body, and releases the connection", () =>
      Effect.gen(function* () {
        let pulled = 0
        const endless = new ReadableStream<Uint8Array>({
          pull(controller) {
            pulled++
            controller.enqueue(new Uint8Array(1024).fill(0x78))
          }
        })
        const service = Service.make(() => new Response(endless, { status: 500 }))
        const reason = yield* Images.generate({ prompt }, once).pipe(Service.reasonOf, Effect.provide(service.layer))
        expect(reason._tag).toBe("InternalServerError")
        expect(pulled).toBeLessThan(64 + 8)
        expect(service.asked[0]?.signal.aborted).toBe(true)
      })
    )

    it.effect("waits at most 5 seconds for the body of an error", () =>
      Effect.gen(function* () {
        const service = Service.make(() => new Response(Wire.body(["No pa"], "hangs"), { status: 401 }))
        const fiber = yield* Images.generate({ prompt }).pipe(
          Service.reasonOf,
          Effect.provide(service.layer),
          Effect.forkChild
        )
        yield* Service.settle
        yield* Service.advance("5 seconds")
        const reason = yield* Service.join(fiber)
        expect(reason).toMatchObject({ _tag: "AuthenticationError", description: "No pa" })
        expect(service.asked[0]?.signal.aborted).toBe(true)
      })
    )

    it.effect("keeps the status if the body breaks off", () =>
      Effect.gen(function* () {
        const body = () => Wire.body(["No pa"], new Error("reset"))
        const reason = yield* answeredWith(() => new Response(body(), { status: 401 }))
        expect(reason).toMatchObject({ _tag: "AuthenticationError", description: "No pa" })
      })
    )
  })

  describe("images that are paid for", () => {
    const images = [Wire.png(20, 1), Wire.png(30, 2)]
    const reply = JSON.stringify(Wire.response(images))
    const cutReply = reply.slice(0, -3)
    const bytesOf = (reason: GradientError.GradientErrorReason) => reason.images.map(({ bytes }) => bytes)

    it.effect("a truncated JSON reply fails with the complete images", () =>
      Effect.gen(function* () {
        const reason = yield* answeredWith(() => new Response(cutReply))
        expect(reason._tag).toBe("InvalidResponseError")
        expect(reason.mayHaveBeenCharged).toBe(true)
        expect(bytesOf(reason)).toEqual(images)
      })
    )

    it.effect("a JSON reply fails with the complete images if the connection breaks", () =>
      Effect.gen(function* () {
        const reason = yield* answeredWith(() => new Response(Wire.body([cutReply], new Error("reset"))))
        expect(reason).toMatchObject({ _tag: "DisconnectedError", mayHaveBeenCharged: true, description: "reset" })
        expect(bytesOf(reason)).toEqual(images)
      })
    )

    it.effect("an invalid JSON reply fails with the complete images", () =>
      Effect.gen(function* () {
        const reason = yield* answeredWith(() => {
          const whole = Wire.response(images)
          return Response.json({ ...whole, data: [...whole.data, { b64_json: null }] })
        })
        expect(reason._tag).toBe("InvalidResponseError")
        expect(bytesOf(reason)).toEqual(images)
      })
    )

    it.effect("a stream that ends early fails with its last partial image or its completed images", () =>
      Effect.gen(function* () {
        const events = images.map((bytes, index) => Wire.event(Wire.partial(index, bytes)))
        const ended = yield* streamedWith(() => Wire.stream(events))
        expect(ended).toMatchObject({ _tag: "IncompleteStreamError", mayHaveBeenCharged: true, isRetryable: true })
        expect(bytesOf(ended)).toEqual([images[1]])
        const pending = Wire.event(Wire.completed(Wire.png(40, 3)))
          .trimEnd()
          .slice(0, -1)
        expect(bytesOf(yield* streamedWith(() => Wire.stream([...events, pending])))).toEqual([Wire.png(40, 3)])
        const reset = yield* streamedWith(() => Wire.stream(events, new Error("reset")))
        expect(reset._tag).toBe("DisconnectedError")
        expect(bytesOf(reset)).toEqual([images[1]])
      })
    )
  })

  describe("secrets", () => {
    it.effect("redacts headers that can hold a secret", () =>
      Effect.gen(function* () {
        const headers = { "set-cookie": "a=1", "x-api-key": "k", "x-auth-token": "t", "x-plain": "p" }
        const reason = yield* answeredWith(() => new Response(null, { status: 500, headers }))
        expect(reason.headers).toEqual({
          "set-cookie": "<redacted>",
          "x-api-key": "<redacted>",
          "x-auth-token": "<redacted>",
          "x-plain": "p"
        })
      })
    )

    it.effect("redacts the key if the service repeats it", () =>
      Effect.gen(function* () {
        const echo = `Bearer ${Service.key} is wrong`
        for (const body of [echo, JSON.stringify(errorBody("c", echo)), `<title>${echo}</title>`]) {
          const reason = yield* answeredWith(() => new Response(body, { status: 401, headers: { "x-echo": echo } }))
          expect(inspect(reason, { depth: 50 })).not.toContain(Service.key)
          expect(reason.description).toContain("is wrong")
        }
      })
    )

    const oddKey = 'key/with+"odd"-characters'
    const escapes = [
      { what: "percent-encoded", echo: encodeURIComponent(oddKey) },
      { what: "percent-encoded twice", echo: encodeURIComponent(encodeURIComponent(oddKey)) },
      { what: "percent-encoded in every character", echo: oddKey.replace(/[^]/g, percent) },
      { what: "in base64", echo: btoa(oddKey) },
      { what: "in base64 with its scheme", echo: btoa(`Bearer ${oddKey}`) },
      { what: "in base64 behind a user", echo: btoa(`me:${oddKey}`) },
      { what: "in base64 for URLs", echo: Buffer.from(`${oddKey}>>>`).toString("base64url") },
      { what: "in base64 and percent-encoded", echo: encodeURIComponent(btoa(oddKey)) },
      { what: "with the escapes of JSON", echo: JSON.stringify(oddKey) },
      { what: "with the escapes of JSON, twice", echo: JSON.stringify(JSON.stringify(oddKey)) },
      { what: "with Unicode escapes", echo: oddKey.replace(/[^]/g, unicode) },
      { what: "with the escapes of HTML", echo: oddKey.replace(/[^]/g, (c) => `&#${c.charCodeAt(0)};`) }
    ]

    it.effect.each(escapes)("the key does not come back $what", ({ echo }) =>
      Effect.gen(function* () {
        const bodies = [
          `not <b> ${echo} here`,
          JSON.stringify(errorBody("c", `the key ${echo} here`)),
          `<p>${echo} here`
        ]
        for (const body of [...bodies, `{"error":{"message":"the key ${echo} here"}}`]) {
          const answer = () => new Response(body, { status: 401, headers: { "x-echo": echo } })
          const service = Service.make(answer, { modelAccessKey: Redacted.make(oddKey) })
          const reason = yield* Images.generate({ prompt }, once).pipe(Service.reasonOf, Effect.provide(service.layer))
          const shown = inspect(reason, { depth: 50, maxStringLength: null })
          const plain = shown.replace(/&#(\d+);/g, (_, code: string) => String.fromCharCode(Number(code)))
          for (const part of ["odd", btoa("odd").slice(0, 4), echo]) {
            expect(plain).not.toContain(part)
          }
          expect(reason.description).toContain("here")
        }
      })
    )

    it.effect("returns the image even if the reply repeats the key with escapes", () =>
      Effect.gen(function* () {
        const plainKey = "odd-characters"
        const twice = JSON.stringify(JSON.stringify(plainKey.replace(/[^]/g, unicode))).slice(1, -1)
        for (const echo of [plainKey.replace(/[^]/g, unicode), twice]) {
          const reply = JSON.stringify(Wire.response()).replace("{", `{"note":"${echo}",`)
          const service = Service.make(() => new Response(reply), { modelAccessKey: Redacted.make(plainKey) })
          const response = yield* Images.generate({ prompt }, once).pipe(Effect.provide(service.layer))
          expect(response.data.length).toBe(1)
        }
      })
    )

    it.effect("redacts the password of Basic, and a key in the name of a member", () =>
      Effect.gen(function* () {
        const password = "open-sesame-please"
        const headers = { authorization: `Basic ${btoa(`me:${password}`)}` }
        const answer = () => Response.json({ errors: { [password]: [`${password} is wrong`] } }, { status: 401 })
        const service = Service.make(answer, { headers })
        const reason = yield* Images.generate({ prompt }, once).pipe(Service.reasonOf, Effect.provide(service.layer))
        expect(reason.description).toBe("<redacted>: <redacted> is wrong")
        expect(inspect(reason, { depth: 50 })).not.toContain(password)
      })
    )

    it.effect("redacts keys of the service, but not rate limits on tokens", () =>
      Effect.gen(function* () {
        const body = "not sk-do-abcdefgh1234 nor dop_v1_0123456789abcdef"
        const headers = { "x-ratelimit-remaining-tokens-per-day": "12" }
        const reason = yield* answeredWith(() => new Response(body, { status: 401, headers }))
        expect(reason.description).toBe("not <redacted> nor <redacted>")
        expect(reason.headers).toMatchObject(headers)
      })
    )
  })

  describe("attempts", () => {
    it.effect("lists every failed attempt, and any of them may have been charged for", () =>
      Effect.gen(function* () {
        const service = Service.make((number) => new Response(null, { status: number === 0 ? 500 : 401 }), {
          retry: RetryPolicy.eager
        })
        const fiber = yield* Images.generate({ prompt }).pipe(
          Effect.flip,
          Effect.provide(service.layer),
          Effect.forkChild
        )
        yield* Service.settle
        yield* Service.advance("1 second")
        const error = yield* Service.join(fiber)
        expect(error.attempts.map(({ reason }) => reason._tag)).toEqual(["InternalServerError", "AuthenticationError"])
        expect(error.reason.mayHaveBeenCharged).toBe(false)
        expect(error.mayHaveBeenCharged).toBe(true)
        expect(error.isRetryable).toBe(false)
        expect(error.message).toMatch(/^The key is missing or was refused \(401\).*\(2 attempts\)$/)
      })
    )
  })

  it.effect("is caught by its reason", () =>
    Effect.gen(function* () {
      const service = Service.make(() => new Response(null, { status: 404 }))
      const caught = Images.generate({ prompt }).pipe(
        Effect.map(() => "drawn"),
        Effect.catchReason("GradientError", "NotFoundError", (reason) => Effect.succeed(`caught ${reason.status}`))
      )
      expect(yield* caught.pipe(Effect.provide(service.layer))).toBe("caught 404")
    })
  )

  it.effect("is recognised by isGradientError, even from another copy of the package", () =>
    Effect.gen(function* () {
      const service = Service.make(() => new Response(null, { status: 404 }))
      const error = yield* Images.generate({ prompt }).pipe(Effect.flip, Effect.provide(service.layer))
      expect(GradientError.isGradientError(error)).toBe(true)
      for (const other of [
        undefined,
        null,
        "GradientError",
        new Error("no"),
        { _tag: "GradientError" },
        error.reason
      ]) {
        expect(GradientError.isGradientError(other)).toBe(false)
      }
      vi.resetModules()
      const copy = yield* Effect.promise(() => import("../src/GradientError.ts"))
      expect(copy.GradientError).not.toBe(GradientError.GradientError)
      expect(copy.isGradientError(error)).toBe(true)
    })
  )

  it.effect.each([
    ...[400, 413, 418].map((status) => ({ status, answered: 400 })),
    ...[404, 409, 422, 429, 504].map((status) => ({ status, answered: status })),
    ...[401, 402, 403, 500, 502, 503, 529, 307].map((status) => ({ status, answered: 502 })),
    { status: 408, answered: 504 }
  ])("a server of one's own answers $answered for a $status", ({ answered, status }) =>
    Effect.gen(function* () {
      expect(GradientError.httpStatus(yield* answeredWith(() => new Response(null, { status })))).toBe(answered)
    })
  )

  it.effect("a server of one's own answers 503 only if nothing was charged", () =>
    Effect.gen(function* () {
      const headers = { "retry-after": "7" }
      const statusOf = (answer: () => Service.Answer) => Effect.map(answeredWith(answer), GradientError.httpStatus)
      expect(yield* statusOf(() => new Response(null, { status: 503, headers }))).toBe(503)
      expect(yield* statusOf(() => Object.assign(new Error("no"), { syscall: "connect" }))).toBe(503)
      expect(yield* statusOf(() => Object.assign(new Error("no"), { syscall: "read" }))).toBe(502)
      expect(yield* statusOf(() => Object.assign(new Error("no"), { code: "UND_ERR_HEADERS_TIMEOUT" }))).toBe(504)
      expect(yield* statusOf(() => Response.json({ error: { code: "moderation_blocked" } }))).toBe(400)
      expect(yield* statusOf(() => new Response("{}}"))).toBe(502)
    })
  )

  it("has a tag, a message and no argument of type any", () => {
    expectTypeOf<GradientError.GradientError["_tag"]>().toEqualTypeOf<"GradientError">()
    expectTypeOf<GradientError.GradientError["reason"]>().toEqualTypeOf<GradientError.GradientErrorReason>()
    expectTypeOf<GradientError.GradientErrorReason["images"][number]["bytes"]>().toEqualTypeOf<Uint8Array>()
  })
})
