import { assert, describe, it, vi } from "@effect/vitest"
import { NodeServices } from "@effect/platform-node"
import { BrowserImages } from "@effect-gradient/browser"
import { GradientClient, GradientError, Images, RetryPolicy } from "@effect-gradient/core"
import { TestImages, TestTransport } from "@effect-gradient/core/testing"
import { ImageStore } from "@effect-gradient/durable"
import { Emulator, Ledger } from "@effect-gradient/emulator"
import { Attempts } from "@effect-gradient/gateway"
import {
  ConfigProvider,
  Context,
  Duration,
  Effect,
  Fiber,
  Layer,
  Redacted,
  References,
  Schedule,
  Schema,
  Stream
} from "effect"
import { LanguageModel } from "effect/ai"
import { FetchHttpClient, HttpRouter, HttpServer } from "effect/http"
import { ChildProcess } from "effect/process"
import { TestClock, TestConsole } from "effect/testing"
import { mkdtemp, readdir, readFile, rm } from "node:fs/promises"
import { createServer, request, type IncomingHttpHeaders, type Server } from "node:http"
import { tmpdir } from "node:os"
import { rootCertificates } from "node:tls"
import { fileURLToPath, URL } from "node:url"
import { join } from "node:path"
import { answer as answerWithTool, tools } from "./agent-tool.ts"
import { budgeted } from "./budget.ts"
import { answer } from "./catch-reason.ts"
import { breaker, guarded } from "./circuit-breaker.ts"
import { inWords } from "./coming-back/doubt.ts"
import { printEvents } from "./coming-from-openai/gateway.ts"
import { emulated } from "./emulator.ts"
import { serve } from "./emulator-server.ts"
import { withFallback } from "./fallback.ts"
import { faults } from "./faults.ts"
import { gateway } from "./gateway.ts"
import { draw } from "./gateway-client.ts"
import { durableAttempts } from "./gateway-durable.ts"
import { webGateway } from "./gateway-web.ts"
import { album } from "./http-api.ts"
import { imageRoute } from "./image-route.ts"
import { charged } from "./ledger.ts"
import { drawAll } from "./progress.ts"
import { limited } from "./rate-limit.ts"
import { eager, once, patient } from "./retry-policy.ts"
import { watch } from "./stream.ts"
import { tested } from "./test-images.ts"
import { threeImages, threePrompts } from "./three-at-once.ts"
import { hurried, slow } from "./timeouts.ts"
import { traced } from "./tracing.ts"
import { assembled, throughProxy, trusting } from "./transport.ts"
import { GuestImages, twoKeys } from "./two-keys.ts"

const prompt = "A lighthouse"

const folder = Effect.acquireRelease(
  Effect.promise(() => mkdtemp(join(tmpdir(), "examples-"))),
  (path) => Effect.promise(() => rm(path, { recursive: true }))
)

const isPng = (path: string) =>
  Effect.promise(async () => (await readFile(path)).subarray(1, 4).toString("latin1") === "PNG")

const environmentOf = (baseUrl: string) => ({ GRADIENT_BASE_URL: baseUrl, GRADIENT_MODEL_ACCESS_KEY: "any" })

const configOf = (baseUrl: string) => ConfigProvider.layer(ConfigProvider.fromEnv({ env: environmentOf(baseUrl) }))

/**
 * Starts the emulator on a port. Returns its base URL, a config with this URL, and an effect that counts the generations
 * that would have been charged for.
 */
const service = Effect.fnUntraced(function* (...broken: ReadonlyArray<string>) {
  const context = yield* Layer.build(Emulator.layerServer({ port: 0, images: "plain", faults: broken }))
  const baseUrl = yield* Effect.provide(Emulator.baseUrl, context)
  const { account } = Context.get(context, Ledger.Ledger)
  return { baseUrl, config: configOf(baseUrl), charges: Effect.map(account, ({ entries }) => entries.length) }
})

/** Starts the server on loopback, and returns its URL. The server closes with the scope. */
const listening = Effect.fnUntraced(function* (server: Server) {
  yield* Effect.acquireRelease(
    Effect.callback<void>((resume) => void server.listen(0, "127.0.0.1", () => resume(Effect.void))),
    () => Effect.sync(() => server.close().closeAllConnections())
  )
  const address = server.address()
  return `http://127.0.0.1:${address !== null && typeof address === "object" ? address.port : 0}`
})

/** Starts a proxy. Returns its URL, and a function that returns how many requests it has received. */
const forwarding = Effect.gen(function* () {
  let passed = 0
  const server = createServer((incoming, response) => {
    passed++
    const { headers, method, url = "" } = incoming
    const outgoing = request(url, { headers, method }, (reply) =>
      reply.pipe(response.writeHead(reply.statusCode ?? 502, reply.headers))
    )
    incoming.pipe(outgoing)
  })
  return { proxy: yield* listening(server), passed: () => passed }
})

/**
 * Starts a service that replies to all requests with a 401. Returns its URL, and a function that returns the headers of all
 * requests.
 */
const listener = Effect.gen(function* () {
  const headers: Array<IncomingHttpHeaders> = []
  const server = createServer((incoming, response) => {
    headers.push(incoming.headers)
    response.writeHead(401).end()
  })
  return { baseUrl: yield* listening(server), headers: () => headers }
})

describe.each(["generate.ts", "start.ts"])("%s", (name) => {
  it.live("writes otter.png into the folder it is run in", () =>
    Effect.gen(function* () {
      const { baseUrl } = yield* service()
      const cwd = yield* folder
      const program = fileURLToPath(new URL(name, import.meta.url))
      const command = ChildProcess.make(process.execPath, [program], {
        cwd,
        env: environmentOf(baseUrl),
        extendEnv: true
      })
      const { exitCode } = yield* command
      assert.strictEqual(Number(yield* exitCode), 0)
      assert.deepStrictEqual(yield* Effect.promise(() => readdir(cwd)), ["otter.png"])
      assert.isTrue(yield* isPng(join(cwd, "otter.png")))
    }).pipe(Effect.scoped, Effect.provide(NodeServices.layer))
  )
})

describe("stream.ts", () => {
  const watched = Effect.gen(function* () {
    const path = yield* folder
    yield* watch(join(path, "otter"))
    assert.isTrue(yield* isPng(join(path, "otter.png")))
    return (yield* TestConsole.logLines).map((line) => String(line).replace(/:.*/, ""))
  }).pipe(Effect.scoped, Effect.provide(TestConsole.layer))

  const events = ["PartialImage", "PartialImage", "PartialImage", "Completed"]

  it.live("keeps the latest image in the file, with emulator.ts", () =>
    Effect.gen(function* () {
      assert.deepStrictEqual(yield* Effect.provide(watched, emulated), events)
    })
  )

  it.live("does the same over a socket, with transport.ts", () =>
    Effect.gen(function* () {
      const { config } = yield* service()
      assert.deepStrictEqual(yield* Effect.provide(watched, Layer.provide(assembled, config)), events)
    }).pipe(Effect.scoped)
  )
})

/** `Images` on a fake service that replies to all requests with this status and error. */
const refusing = (status: number, error: object = {}) =>
  TestTransport.layerImages(() => TestTransport.respond({ status, json: { error: { message: "No", ...error } } }))

/**
 * Generates an image with this layer, from an emulator with these faults. Returns whether the call succeeded, and how many
 * generations were charged for.
 */
const generateThrough = Effect.fnUntraced(function* <E>(
  layer: Layer.Layer<Images.Images, E>,
  ...broken: Array<string>
) {
  const { charges, config } = yield* service(...broken)
  const result = yield* Effect.result(Effect.provide(Images.generate({ prompt }), Layer.provide(layer, config)))
  return { result: result._tag, charges: yield* charges }
}, Effect.scoped)

describe("retry-policy.ts", () => {
  it.live("eager retries after a failure that was charged for, patient does not", () =>
    Effect.gen(function* () {
      const fault = "reset-body@1000 x1"
      assert.deepStrictEqual(yield* generateThrough(eager, fault), { result: "Success", charges: 2 })
      assert.deepStrictEqual(yield* generateThrough(patient, fault), { result: "Failure", charges: 1 })
    })
  )

  it.effect("once does not retry", () =>
    Effect.gen(function* () {
      const error = yield* Effect.flip(once)
      assert.strictEqual(error.attempts.length, 1)
    }).pipe(Effect.provide(refusing(429)))
  )
})

describe("timeouts.ts", () => {
  it.live("hurried generates an image", () =>
    Effect.gen(function* () {
      assert.deepStrictEqual(yield* generateThrough(hurried), { result: "Success", charges: 1 })
    })
  )

  it.effect("slow fails after 20 minutes", () =>
    Effect.gen(function* () {
      const fiber = yield* Effect.forkChild(Effect.flip(slow))
      yield* TestClock.adjust("19 minutes")
      assert.isUndefined(fiber.pollUnsafe())
      yield* TestClock.adjust("1 minute")
      const { reason } = yield* Fiber.join(fiber)
      assert.strictEqual(reason._tag, "RequestTimeoutError")
    }).pipe(Effect.provide(TestTransport.layerImages([Effect.never])))
  )
})

describe("transport.ts", () => {
  it.live("throughProxy sends through the proxy", () =>
    Effect.gen(function* () {
      const { passed, proxy } = yield* forwarding
      const { result } = yield* generateThrough(throughProxy(proxy))
      assert.deepStrictEqual([result, passed()], ["Success", 1])
    }).pipe(Effect.scoped)
  )

  it.live("trusting generates an image", () =>
    Effect.gen(function* () {
      assert.strictEqual((yield* generateThrough(trusting(rootCertificates[0] ?? ""))).result, "Success")
    })
  )
})

describe("catch-reason.ts", () => {
  it.effect.each([
    { status: 400, code: "moderation_blocked", said: "Please ask for something else." },
    { status: 429, code: "too_many_requests", said: "Please wait a minute." },
    { status: 401, code: "invalid_api_key", said: "Nothing lost: The key is missing or was refused" },
    { status: 500, code: "internal", said: "Paid for, perhaps: The service failed" }
  ])("answers $code", ({ code, said, status }) =>
    Effect.gen(function* () {
      const fiber = yield* Effect.forkChild(answer(prompt))
      yield* TestClock.adjust("1 minute")
      assert.include(yield* Fiber.join(fiber), said)
    }).pipe(Effect.provide(refusing(status, { code })))
  )
})

describe("coming-back/doubt.ts", () => {
  it("names no cause that the failure does not have", () => {
    const unreachable = new GradientError.InternalServerError({ status: 503, retryAfter: Duration.seconds(1) })
    assert.strictEqual(inWords(GradientError.fromReason(unreachable)), "No image arrived. Try again in a minute.")
  })
})

describe("fallback.ts", () => {
  it.live("asks the second endpoint if the first one refuses the key, and not after a 500", () =>
    Effect.gen(function* () {
      const own = yield* service()
      const ask = Effect.fnUntraced(function* (fault: string) {
        const { config } = yield* service(fault)
        const layer = Layer.provide(withFallback(own.baseUrl, "openai-gpt-image-1.5"), config)
        return (yield* Effect.result(Effect.provide(Images.generate({ prompt, size: "64x64" }), layer)))._tag
      })
      assert.deepStrictEqual([yield* ask("status=401"), yield* own.charges], ["Success", 1])
      assert.deepStrictEqual([yield* ask("status=500"), yield* own.charges], ["Failure", 1])
    }).pipe(Effect.scoped)
  )
})

describe("rate-limit.ts", () => {
  it.effect("sends no more than 250 requests in a minute", () =>
    Effect.gen(function* () {
      const calls = Effect.forEach(Array.from({ length: 251 }), () => Images.generate({ prompt }))
      const fiber = yield* Effect.forkChild(calls)
      const advance = Effect.andThen(TestClock.adjust("1 milli"), TestTransport.requests)
      yield* Effect.repeat(advance, { until: ({ length }) => length === 250 })
      yield* TestClock.adjust("50 seconds")
      assert.strictEqual((yield* TestTransport.requests).length, 250)
      yield* TestClock.adjust("10 seconds")
      yield* Fiber.join(fiber)
      assert.strictEqual((yield* TestTransport.requests).length, 251)
    }).pipe(Effect.provide(limited), Effect.provide(TestImages.layerFixed()))
  )
})

describe("budget.ts", () => {
  it.effect("stops before the request that could exceed 20 dollars", () =>
    Effect.gen(function* () {
      const tenImages = Images.generate({ prompt, n: 10 })
      yield* Effect.forEach(Array.from({ length: 8 }), () => tenImages)
      const { reason } = yield* Effect.flip(tenImages)
      assert.strictEqual(reason._tag, "BudgetExceededError")
      assert.strictEqual((yield* TestTransport.requests).length, 8)
    }).pipe(Effect.provide(budgeted(":memory:")), Effect.provide(TestImages.layerFixed()))
  )
})

describe("circuit-breaker.ts", () => {
  const call = guarded(Images.generate({ prompt }, { retry: RetryPolicy.none, timeout: "10 seconds" }))
  const down = TestTransport.respond({ status: 500, json: { error: { message: "No" } } })
  const refused = TestTransport.respond({ status: 400, json: { error: { code: "moderation_blocked" } } })
  const busy = TestTransport.respond({ status: 429, json: { error: { message: "Slow down" } } })
  const image = TestTransport.response(TestImages.makeResponse(TestImages.png))

  /** Makes one call. Returns its outcome, and how many requests have been sent by all calls so far. */
  const ask = Effect.gen(function* () {
    const fiber = yield* Effect.forkChild(Effect.result(call))
    yield* TestClock.adjust("10 seconds")
    const result = yield* Fiber.join(fiber)
    const { length } = yield* TestTransport.requests
    return [result._tag === "Success" ? "Success" : result.failure.reason._tag, length] as const
  })
  const askTimes = (times: number) => Effect.forEach(Array.from({ length: times }), () => ask)

  it.effect("sends nothing after five failures in a row, then one request, and closes if that succeeds", () =>
    Effect.gen(function* () {
      yield* askTimes(5)
      const error = yield* Effect.flip(call)
      assert.strictEqual(error._tag, "CircuitBreakerError")
      assert.deepStrictEqual(yield* ask, ["CircuitOpen", 5])
      yield* TestClock.adjust("20 seconds")
      assert.deepStrictEqual(yield* askTimes(2), [
        ["Success", 6],
        ["Success", 7]
      ])
    }).pipe(
      Effect.provide(breaker),
      Effect.provide(TestTransport.layerImages((_, number) => (number < 5 ? down : image)))
    )
  )

  it.effect("lets one call through while it is half open, and opens again if that fails", () =>
    Effect.gen(function* () {
      yield* askTimes(5)
      yield* TestClock.adjust("30 seconds")
      const probe = yield* Effect.forkChild(Effect.flip(call))
      yield* Effect.repeat(Effect.andThen(Effect.yieldNow, TestTransport.requests), {
        until: ({ length }) => length === 6
      })
      assert.deepStrictEqual((yield* Effect.flip(call)).reason._tag, "CircuitHalfOpen")
      yield* TestClock.adjust("10 seconds")
      assert.strictEqual((yield* Fiber.join(probe)).reason._tag, "RequestTimeoutError")
      assert.deepStrictEqual(yield* ask, ["CircuitOpen", 6])
    }).pipe(
      Effect.provide(breaker),
      Effect.provide(TestTransport.layerImages((_, number) => (number < 5 ? down : Effect.never)))
    )
  )

  it.effect.each([
    ["InternalServerError", down, true],
    ["ConnectionError", TestTransport.failNotSent(), true],
    ["DisconnectedError", TestTransport.failSent(), true],
    ["RequestTimeoutError", Effect.never, true],
    ["RateLimitError", busy, false],
    ["ContentPolicyError", refused, false],
    ["InvalidResponseError", TestTransport.respond({ json: {} }), false]
  ] as const)("after five times %s", ([tag, step, opens]) =>
    Effect.gen(function* () {
      yield* askTimes(4)
      assert.deepStrictEqual(yield* ask, [tag, 5])
      assert.deepStrictEqual(yield* ask, opens ? ["CircuitOpen", 5] : [tag, 6])
    }).pipe(Effect.provide(breaker), Effect.provide(TestTransport.layerImages(() => step)))
  )

  it.effect("stays closed after params that were refused before anything was sent", () =>
    Effect.gen(function* () {
      const wrong = guarded(Images.generate({ prompt, n: 11 }))
      for (let i = 0; i < 6; i++) assert.strictEqual((yield* Effect.flip(wrong)).reason._tag, "InvalidParamsError")
    }).pipe(Effect.provide(breaker), Effect.provide(TestTransport.layerImages(() => image)))
  )
})

describe("agent-tool.ts", () => {
  const model = LanguageModel.make({
    generateText: () =>
      Effect.succeed([{ type: "tool-call", id: "1", name: "GenerateImage", params: { prompt, n: 10 } }]),
    streamText: () => Stream.empty
  })

  it.effect("gives the model the path of each file, and a refusal once the budget is used up", () =>
    Effect.gen(function* () {
      const path = yield* folder
      const drawing = Effect.map(answerWithTool("Draw an otter"), ({ toolResults }) =>
        JSON.stringify(toolResults.map(({ encodedResult }) => encodedResult))
      )
      yield* Effect.gen(function* () {
        assert.include(yield* drawing, JSON.stringify(join(path, "drawing.png")))
        assert.include(yield* drawing, JSON.stringify(join(path, "drawing-20.png")))
        assert.include(yield* drawing, "not enough of the budget is left")
      }).pipe(Effect.provide(tools(path)), Effect.provide(Layer.effect(LanguageModel.LanguageModel, model)))
      assert.isTrue(yield* isPng(join(path, "drawing.png")))
      assert.strictEqual((yield* TestTransport.requests).length, 2)
    }).pipe(Effect.scoped, Effect.provide(TestImages.layerFixed()))
  )
})

describe("tracing.ts", () => {
  it.live("sends trace headers, which are not sent by default", () =>
    Effect.gen(function* () {
      const { baseUrl, headers } = yield* listener
      const ask = Effect.ignore(Images.generate({ prompt }))
      yield* Effect.provide(ask, Layer.provide(traced, configOf(baseUrl)))
      yield* Effect.provide(ask, Layer.provide(assembled, configOf(baseUrl)))
      const sent = headers().map(({ b3, traceparent }) => [b3 !== undefined, traceparent !== undefined])
      assert.deepStrictEqual(sent, [
        [true, true],
        [false, false]
      ])
    }).pipe(Effect.scoped)
  )
})

describe("two-keys.ts", () => {
  it.live("sends the key of the team, and that of guests through GuestImages", () =>
    Effect.gen(function* () {
      const { baseUrl, headers } = yield* listener
      const layer = Layer.provide(twoKeys(Redacted.make("team"), Redacted.make("guest")), configOf(baseUrl))
      yield* Effect.gen(function* () {
        const guests = yield* GuestImages
        yield* Effect.flip(Images.generate({ prompt }))
        yield* Effect.flip(guests.generate({ prompt }))
      }).pipe(Effect.provide(layer))
      assert.deepStrictEqual(
        headers().map(({ authorization }) => authorization),
        ["Bearer team", "Bearer guest"]
      )
    }).pipe(Effect.scoped)
  )
})

describe("emulator-server.ts", () => {
  it.live("prints its base URL", () =>
    Effect.gen(function* () {
      yield* Effect.forkScoped(serve(0))
      const printed = yield* Effect.repeat(TestConsole.logLines, {
        schedule: Schedule.spaced("10 millis"),
        until: (lines) => lines.length > 0
      })
      assert.match(String(printed[0]), /^Listening on http:.*\/v1$/)
    }).pipe(Effect.scoped, Effect.provide(TestConsole.layer))
  )
})

describe("faults.ts and ledger.ts", () => {
  it.effect(
    "the first request fails and is charged for; the second is repeated after a 429, and charged for once",
    () =>
      Effect.gen(function* () {
        const { reason } = yield* Effect.flip(Images.generate({ prompt }))
        assert.deepStrictEqual([reason._tag, yield* charged], ["DisconnectedError", 1])
        yield* Images.generate({ prompt })
        assert.strictEqual(yield* charged, 2)
      }).pipe(
        Effect.provide(
          Images.layer.pipe(
            Layer.provide(GradientClient.layer({ modelAccessKey: Redacted.make("any") })),
            Layer.provideMerge(Emulator.layerHttpClient({ faults }))
          )
        )
      )
  )
})

describe("progress.ts", () => {
  it.live("draws three at a time, and shows each picture and each retry", () =>
    Effect.gen(function* () {
      const completed = yield* drawAll(["otter", "fox", "owl", "lynx"])
      const lines = (yield* TestConsole.logLines).map(String)
      assert.strictEqual(completed.length, 4)
      assert.lengthOf(
        lines.filter((line) => /: image [123] after /.test(line)),
        12
      )
      assert.lengthOf(
        lines.filter((line) => /^\w+: Too many requests, retry in /.test(line)),
        1
      )
      const shown = lines.map((line) => line.replace(/:.*/, ""))
      assert.isAbove(shown.indexOf("lynx"), shown.indexOf("owl"))
    }).pipe(
      Effect.provide(
        Layer.mergeAll(
          TestConsole.layer,
          Images.layer.pipe(
            Layer.provide(GradientClient.layer({ modelAccessKey: Redacted.make("any") })),
            Layer.provide(Emulator.layerHttpClient({ faults: ["status=429;retry-after=0 x1"], images: "plain" }))
          )
        )
      )
    )
  )
})

describe("gateway.ts", () => {
  it.live("generates for a caller with a password, and sends its own key", () =>
    Effect.gen(function* () {
      const { charges, config } = yield* service()
      const port = Number(new URL(yield* Effect.scoped(listening(createServer()))).port)
      yield* Layer.build(Layer.provide(gateway(port, ["swordfish"]), config))
      const ask = (password: string) =>
        Images.generate({ prompt }).pipe(
          Effect.provide(
            BrowserImages.layer({ baseUrl: `http://127.0.0.1:${port}/v1`, modelAccessKey: Redacted.make(password) })
          )
        )
      yield* ask("swordfish")
      assert.strictEqual((yield* Effect.flip(ask("any"))).reason._tag, "AuthenticationError")
      assert.strictEqual(yield* charges, 1)
    }).pipe(Effect.scoped)
  )
})

describe("coming-from-openai/gateway.ts", () => {
  it.live("prints the events that openai gets from the gateway", () =>
    Effect.gen(function* () {
      const { config } = yield* service()
      const port = Number(new URL(yield* Effect.scoped(listening(createServer()))).port)
      yield* Layer.build(Layer.provide(gateway(port, ["swordfish"]), config))
      const log = vi.spyOn(console, "log").mockReturnValue()
      yield* Effect.addFinalizer(() => Effect.sync(() => log.mockRestore()))
      yield* Effect.promise(() => printEvents(`http://127.0.0.1:${port}/v1`, "swordfish"))
      const printed = log.mock.calls.map(([text]) => String(text)).filter((text) => text.startsWith("image_generation"))
      assert.deepStrictEqual(
        printed.map((text) => text.replace("image_generation.", "")),
        ["partial_image", "partial_image", "completed"]
      )
    }).pipe(Effect.scoped)
  )
})

describe("gateway-durable.ts", () => {
  it.live("sends a request once, and joins it by its id", () =>
    Effect.gen(function* () {
      const { charges, config } = yield* service()
      const attempts = yield* Layer.build(Layer.provide(durableAttempts(yield* folder), config))
      const { join: joined, run } = Context.get(attempts, Attempts.Attempts)
      const id = { caller: "alice", attempt: undefined, request: "0".repeat(32) }
      const params = { prompt, model: "openai-gpt-image-2", n: 1 }
      const first = yield* run(id, { kind: "generate", params }, {})
      const bytes = first._tag === "Response" ? first.response.data[0].bytes : new Uint8Array()
      assert.deepStrictEqual(bytes.subarray(0, 4), TestImages.png.subarray(0, 4))
      const stored = yield* joined(id, "generate")
      const text = stored._tag === "Json" ? yield* Stream.mkString(Stream.decodeText(stored.bytes)) : stored._tag
      assert.include(text, `"b64_json":"${Buffer.from(bytes).toString("base64")}"`)
      assert.strictEqual(yield* charges, 1)
    }).pipe(Effect.scoped)
  )
})

describe("gateway-web.ts", () => {
  it.live("replies to a web request, and refuses one without a key", () =>
    Effect.gen(function* () {
      const { baseUrl } = yield* service()
      const { dispose, handler } = webGateway({ baseUrl, modelAccessKey: Redacted.make("any") }, [Redacted.make("key")])
      yield* Effect.addFinalizer(() => Effect.promise(dispose))
      const ask = (headers: Record<string, string>) =>
        Effect.promise(() =>
          handler(
            new Request("https://app.example/v1/images/generations", {
              method: "POST",
              headers: { "content-type": "application/json", ...headers },
              body: JSON.stringify({ prompt })
            })
          )
        )
      assert.strictEqual((yield* ask({ authorization: "Bearer key" })).status, 200)
      assert.strictEqual((yield* ask({})).status, 401)
    }).pipe(Effect.scoped)
  )
})

describe("gateway-client.ts", () => {
  it.live("returns a response, and an error of the API with its status", () =>
    Effect.gen(function* () {
      const { config } = yield* service()
      const port = Number(new URL(yield* Effect.scoped(listening(createServer()))).port)
      yield* Layer.build(Layer.provide(gateway(port, ["swordfish"]), config))
      const ask = (key: string) =>
        draw(`http://127.0.0.1:${port}/v1`, Redacted.make(key)).pipe(Effect.provide(FetchHttpClient.layer))
      const reply = yield* ask("swordfish")
      assert.strictEqual("data" in reply && reply.data[0].mediaType, "image/png")
      const error = yield* Effect.flip(ask("any"))
      assert.isTrue("status" in error && error.status === 401)
    }).pipe(Effect.scoped)
  )
})

/** Posts a JSON body to this web handler. */
const post = (handler: (request: Request) => Promise<Response>, path: string, body: unknown) =>
  Effect.promise(() =>
    handler(
      new Request(`http://app.example${path}`, {
        method: "POST",
        headers: { "content-type": "application/json" },
        body: JSON.stringify(body)
      })
    )
  )

describe("image-route.ts", () => {
  const handlerOf = (images: Layer.Layer<Images.Images, GradientError.GradientError>) =>
    HttpRouter.toWebHandler(imageRoute.pipe(HttpRouter.provideRequest(images)), { disableLogger: true }).handler

  it.effect("replies with the bytes of the image and its media type", () =>
    Effect.gen(function* () {
      const reply = yield* post(handlerOf(TestImages.layerFixed()), "/image", { prompt })
      assert.strictEqual(reply.headers.get("content-type"), "image/webp")
      const bytes = new Uint8Array(yield* Effect.promise(() => reply.arrayBuffer()))
      assert.deepStrictEqual(bytes, TestImages.webp)
    })
  )

  it.effect("replies with 400 to a bad body, and with the status of a failure", () =>
    Effect.gen(function* () {
      const refused = TestTransport.respond({ status: 400, json: { error: { code: "moderation_blocked" } } })
      const handler = handlerOf(TestTransport.layerImages([refused]))
      assert.strictEqual((yield* post(handler, "/image", {})).status, 400)
      const reply = yield* post(handler, "/image", { prompt })
      assert.strictEqual(reply.status, 400)
      assert.include(yield* Effect.promise(() => reply.text()), "Moderation refused")
    }).pipe(Effect.provideService(References.MinimumLogLevel, "None"))
  )
})

describe("http-api.ts", () => {
  it.effect("makes an image, and serves it at the URL that it gives", () =>
    Effect.gen(function* () {
      const layer = album.pipe(
        HttpRouter.provideRequest(Layer.merge(TestImages.layerFixed(), ImageStore.layerMemory)),
        Layer.provide(HttpServer.layerServices)
      )
      const { handler } = HttpRouter.toWebHandler(layer, { disableLogger: true })
      const made = yield* post(handler, "/images", { prompt })
      assert.strictEqual(made.status, 201)
      const { url } = yield* Effect.flatMap(
        Effect.promise(() => made.json()),
        Schema.decodeUnknownEffect(Schema.Struct({ url: Schema.String }))
      )
      const get = (path: string) => Effect.promise(() => handler(new Request(`http://app.example${path}`)))
      const image = yield* get(url)
      assert.strictEqual(image.headers.get("content-type"), "image/png")
      assert.deepStrictEqual(new Uint8Array(yield* Effect.promise(() => image.arrayBuffer())), TestImages.png)
      assert.strictEqual((yield* get(`/images/${crypto.randomUUID()}`)).status, 404)
      assert.strictEqual((yield* get("/images/..%2Fjournal.db")).status, 400)
    })
  )
})

describe("three-at-once.ts", () => {
  const busyOnce = Layer.provideMerge(
    Layer.provide(Images.layer, GradientClient.layer({ modelAccessKey: Redacted.make("any") })),
    Emulator.layerHttpClient({ images: "plain", faults: ["reset-body@10 x1"] })
  )

  it.live("one failure loses no other image", () =>
    Effect.gen(function* () {
      const tags = (yield* threePrompts).map(({ _tag }) => _tag)
      assert.sameMembers(tags, ["Failure", "Success", "Success"])
      assert.sameMembers(
        (yield* threeImages).map(({ _tag }) => _tag),
        ["Done", "Done", "Done", "Ended"]
      )
      assert.strictEqual(yield* charged, 6)
    }).pipe(Effect.provide(busyOnce))
  )
})

describe("test-images.ts", () => {
  it.effect("returns an image of the requested format, and the request", () =>
    Effect.gen(function* () {
      const { body, mediaType } = yield* tested
      assert.strictEqual(mediaType, "image/webp")
      assert.include(body, { prompt: "A sea otter", output_format: "webp" })
    })
  )
})
