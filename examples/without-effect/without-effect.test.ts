import { assert, describe, it, vi } from "@effect/vitest"
import { Emulator, Fault, Ledger } from "@effect-gradient/emulator"
import { ConfigProvider, Context, Effect, Layer, ManagedRuntime, Schedule, Schema } from "effect"
import { createServer, type Server } from "node:http"

vi.spyOn(console, "error").mockReturnValue() // server.ts logs failures

const prompt = "A lighthouse"
const query = `/pictures?prompt=${encodeURIComponent(prompt)}`

/** Starts the server on a free port, and returns its URL. The server closes with the scope. */
const listening = Effect.fnUntraced(function* (server: Server) {
  yield* Effect.acquireRelease(
    Effect.callback<void>((resume) => void server.listen(0, "127.0.0.1", () => resume(Effect.void))),
    () => Effect.sync(() => server.close().closeAllConnections())
  )
  const address = server.address()
  return `http://127.0.0.1:${address !== null && typeof address === "object" ? address.port : 0}`
})

/** Loads the examples again, with `env` in place of the process's environment variables. */
const load = Effect.fnUntraced(function* (env: Record<string, string>) {
  const config = ConfigProvider.layer(ConfigProvider.fromEnv({ env }))
  vi.resetModules()
  vi.doMock("./images.ts", async () => {
    const { NodeImages } = await import("@effect-gradient/node")
    return { images: ManagedRuntime.make(Layer.provide(NodeImages.layerFromConfig(), config)) }
  })
  const { images } = yield* Effect.promise(() => import("./images.ts"))
  yield* Effect.addFinalizer(() => images.disposeEffect)
  const [{ draw }, { watch }, { printEvents }, { server }, { app }] = yield* Effect.promise(() =>
    Promise.all([
      import("./draw.ts"),
      import("./watch.ts"),
      import("./print.ts"),
      import("./server.ts"),
      import("./hono.ts")
    ])
  )
  return { draw, watch, printEvents, server, app, images }
})

const environmentOf = (baseUrl: string) => ({ GRADIENT_BASE_URL: baseUrl, GRADIENT_MODEL_ACCESS_KEY: "any" })

/** Loads the examples with an emulator as their service, which has these options and faults. */
const onEmulator = Effect.fnUntraced(function* (options: Emulator.EmulatorOptions, ...faults: ReadonlyArray<string>) {
  const decoded = yield* Effect.forEach(faults, (fault) => Schema.decodeEffect(Fault.FaultFromString)(fault))
  const context = yield* Layer.build(Emulator.layerServer({ port: 0, images: "plain", ...options, faults: decoded }))
  const { account } = Context.get(context, Ledger.Ledger)
  const examples = yield* load(environmentOf(yield* Effect.provide(Emulator.baseUrl, context)))
  /**
   * Waits until the emulator has recorded that the client closed its connection, which shows that the request was cancelled.
   */
  const left = account.pipe(
    Effect.repeat({
      schedule: Schedule.spaced("20 millis"),
      until: ({ entries }) => entries.length === 1 && entries.every(({ leftAt }) => leftAt !== undefined)
    }),
    Effect.timeout("10 seconds")
  )
  return { ...examples, account, left }
})

const rejects = (run: () => Promise<unknown>) =>
  Effect.promise(() =>
    run().then(
      (value) => assert.fail(`it gave ${String(value)}`),
      (error: unknown) => error
    )
  )

const eventNames = (text: string) => Array.from(text.matchAll(/^event: (.*)$/gm), ([, name]) => name)

const whole = [...Array.from({ length: 3 }, () => "image_generation.partial_image"), "image_generation.completed"]

describe("draw.ts", () => {
  it.live("returns the bytes", () =>
    Effect.gen(function* () {
      const { draw } = yield* onEmulator({})
      const bytes = yield* Effect.promise(() => draw(prompt))
      assert.instanceOf(bytes, Uint8Array)
    }).pipe(Effect.scoped)
  )

  it.live.each([
    ["status=400;code=moderation_blocked", /^Please ask for something else\.$/],
    ["status=429;retry-after=0", /^Please wait a minute\.$/],
    ["status=401", /^Not paid for: The key is missing or was refused/],
    ["reset-body@1000", /^Perhaps paid for: The connection broke/]
  ] as const)("what is thrown for %s is a GradientError with its reason", ([fault, sentence]) =>
    Effect.gen(function* () {
      const { draw } = yield* onEmulator({}, fault)
      assert.match(String(yield* Effect.promise(() => draw(prompt))), sentence)
    }).pipe(Effect.scoped)
  )

  it.live("a missing key is thrown as a ConfigError that names the variable", () =>
    Effect.gen(function* () {
      const { draw } = yield* load({})
      const error = yield* rejects(() => draw(prompt))
      assert.include(error, { _tag: "ConfigError" })
      assert.include(String(error), "GRADIENT_MODEL_ACCESS_KEY")
    }).pipe(Effect.scoped)
  )

  it.live("aborting the signal cancels the request", () =>
    Effect.gen(function* () {
      const { account, draw, left } = yield* onEmulator({ latency: "1 minute" })
      const controller = new AbortController()
      const drawing = rejects(() => draw(prompt, controller.signal))
      const abort = account.pipe(
        Effect.repeat({ schedule: Schedule.spaced("20 millis"), until: ({ entries }) => entries.length === 1 }),
        Effect.andThen(Effect.sync(() => controller.abort()))
      )
      const [error] = yield* Effect.all([drawing, abort], { concurrency: 2 })
      assert.notProperty(error, "reason")
      yield* left
    }).pipe(Effect.scoped)
  )
})

describe("watch.ts", () => {
  const collect = async <A>(values: AsyncIterable<A>) => {
    const collected: Array<A> = []
    for await (const value of values) collected.push(value)
    return collected
  }

  it.live("gives each image, and ends with the completed one", () =>
    Effect.gen(function* () {
      const { watch } = yield* onEmulator({})
      const events = yield* Effect.promise(async () => collect(await watch(prompt)))
      assert.deepStrictEqual(
        events.map(({ _tag }) => _tag),
        ["PartialImage", "PartialImage", "PartialImage", "Completed"]
      )
    }).pipe(Effect.scoped)
  )

  it.live("print.ts prints the name and the size of each", () =>
    Effect.gen(function* () {
      const log = vi.spyOn(console, "log").mockReturnValue()
      yield* Effect.addFinalizer(() => Effect.sync(() => log.mockRestore()))
      const { printEvents } = yield* onEmulator({})
      yield* Effect.promise(() => printEvents(prompt))
      assert.deepStrictEqual(
        log.mock.calls.map(([name]) => String(name)),
        ["PartialImage", "PartialImage", "PartialImage", "Completed"]
      )
    }).pipe(Effect.scoped)
  )

  it.live("leaving the loop cancels the request", () =>
    Effect.gen(function* () {
      const { left, watch } = yield* onEmulator({ pace: "300 millis" })
      yield* Effect.promise(async () => {
        for await (const event of await watch(prompt)) {
          if (event._tag === "PartialImage") break
        }
      })
      yield* left
    }).pipe(Effect.scoped)
  )

  it.live("a failure is thrown by the loop", () =>
    Effect.gen(function* () {
      const { watch } = yield* onEmulator({}, "no-completed")
      const error = yield* rejects(async () => collect(await watch(prompt)))
      assert.nestedPropertyVal(error, "reason._tag", "IncompleteStreamError")
    }).pipe(Effect.scoped)
  )
})

describe("images.ts", () => {
  it.live("one runtime reuses its connection; a layer per call opens one each time", () =>
    Effect.gen(function* () {
      let connections = 0
      const image = Buffer.from("iVBORw0KGgo=", "base64").toString("base64")
      const service = createServer((request, response) => {
        request.resume()
        response.writeHead(200, { "content-type": "application/json" })
        response.end(JSON.stringify({ created: 1_700_000_000, data: [{ b64_json: image }] }))
      }).on("connection", () => connections++)
      const env = environmentOf(`${yield* listening(service)}/v1`)
      const { draw } = yield* load(env)
      for (let i = 0; i < 10; i++) yield* Effect.promise(() => draw(prompt))
      assert.isAtMost(connections, 3)

      connections = 0
      for (let i = 0; i < 10; i++) {
        const { draw: drawOnce } = yield* load(env)
        yield* Effect.promise(() => drawOnce(prompt))
      }
      assert.strictEqual(connections, 10)
    }).pipe(Effect.scoped)
  )
})

describe("server.ts", () => {
  const ask = (url: string, init?: RequestInit) => Effect.promise(() => fetch(url, { method: "POST", ...init }))
  const text = (response: Response) => Effect.promise(() => response.text())

  it.live("streams the images as server-sent events", () =>
    Effect.gen(function* () {
      const { server } = yield* onEmulator({})
      const response = yield* ask((yield* listening(server)) + query)
      assert.strictEqual(response.status, 200)
      assert.strictEqual(response.headers.get("content-type"), "text/event-stream")
      assert.deepStrictEqual(eventNames(yield* text(response)), whole)
    }).pipe(Effect.scoped)
  )

  it.live.each([
    ["status=400;code=moderation_blocked", 400, "Moderation refused the request", "invalid_request_error"],
    ["status=429;retry-after=0", 429, "Too many requests", "rate_limit_error"],
    ["status=401", 502, "The key is missing or was refused", "server_error"],
    ["status=500", 502, "The service failed", "server_error"]
  ] as const)("answers %s with a status of its own: %d", ([fault, status, message, type]) =>
    Effect.gen(function* () {
      const { server } = yield* onEmulator({}, fault)
      const response = yield* ask((yield* listening(server)) + query)
      assert.strictEqual(response.status, status)
      assert.strictEqual(response.headers.get("x-should-retry"), fault === "status=500" ? "false" : null)
      assert.deepStrictEqual(JSON.parse(yield* text(response)), {
        error: { message, type, param: null, code: null }
      })
    }).pipe(Effect.scoped)
  )

  it.live("generates nothing for a GET", () =>
    Effect.gen(function* () {
      const { account, server } = yield* onEmulator({})
      const response = yield* ask((yield* listening(server)) + query, { method: "GET" })
      assert.deepStrictEqual([response.status, (yield* account).requests], [405, 0])
    }).pipe(Effect.scoped)
  )

  it.live("a failure after the first image is an event", () =>
    Effect.gen(function* () {
      const { server } = yield* onEmulator({}, "error-event;after=1")
      const response = yield* ask((yield* listening(server)) + query)
      assert.strictEqual(response.status, 200)
      assert.deepStrictEqual(eventNames(yield* text(response)), ["image_generation.partial_image", "error"])
    }).pipe(Effect.scoped)
  )

  it.live("cancels when the client leaves within the stream", () =>
    Effect.gen(function* () {
      const { left, server } = yield* onEmulator({ pace: "300 millis" })
      const controller = new AbortController()
      const response = yield* ask((yield* listening(server)) + query, { signal: controller.signal })
      yield* Effect.promise(async () => response.body?.getReader().read())
      controller.abort()
      yield* left
    }).pipe(Effect.scoped)
  )

  it.live("cancels when the client leaves before the first image", () =>
    Effect.gen(function* () {
      const { account, left, server } = yield* onEmulator({ latency: "1 minute" })
      const controller = new AbortController()
      const url = (yield* listening(server)) + query
      const asking = rejects(() => fetch(url, { method: "POST", signal: controller.signal }))
      const leaving = account.pipe(
        Effect.repeat({ schedule: Schedule.spaced("20 millis"), until: ({ entries }) => entries.length === 1 }),
        Effect.andThen(Effect.sync(() => controller.abort()))
      )
      yield* Effect.all([asking, leaving], { concurrency: 2 })
      yield* left
    }).pipe(Effect.scoped)
  )
})

describe("web.ts, on Hono", () => {
  const ask = (app: { readonly fetch: (request: Request) => Response | Promise<Response> }, signal?: AbortSignal) =>
    Effect.promise(async () =>
      app.fetch(new Request(`http://localhost${query}`, { method: "POST", ...(signal ? { signal } : {}) }))
    )

  it.live("streams the images as server-sent events", () =>
    Effect.gen(function* () {
      const { app } = yield* onEmulator({})
      const response = yield* ask(app)
      assert.deepStrictEqual(eventNames(yield* Effect.promise(() => response.text())), whole)
    }).pipe(Effect.scoped)
  )

  it.live("replies to a failure with a status", () =>
    Effect.gen(function* () {
      const { app } = yield* onEmulator({}, "status=429;retry-after=0")
      assert.strictEqual((yield* ask(app)).status, 429)
    }).pipe(Effect.scoped)
  )

  it.live("a failure after the first picture breaks the body", () =>
    Effect.gen(function* () {
      const { app } = yield* onEmulator({}, "error-event;after=1")
      const response = yield* ask(app)
      assert.strictEqual(response.status, 200)
      const error = yield* rejects(() => response.text())
      assert.nestedPropertyVal(error, "reason._tag", "InternalServerError")
    }).pipe(Effect.scoped)
  )

  it.live("cancels when the client cancels the body", () =>
    Effect.gen(function* () {
      const { app, left } = yield* onEmulator({ pace: "300 millis" })
      const response = yield* ask(app)
      const reader = response.body?.getReader()
      yield* Effect.promise(async () => {
        await reader?.read()
        await reader?.cancel()
      })
      yield* left
    }).pipe(Effect.scoped)
  )

  it.live("cancels when the request is aborted before the first image", () =>
    Effect.gen(function* () {
      const { app, account, left } = yield* onEmulator({ latency: "1 minute" })
      const controller = new AbortController()
      const leaving = account.pipe(
        Effect.repeat({ schedule: Schedule.spaced("20 millis"), until: ({ entries }) => entries.length === 1 }),
        Effect.andThen(Effect.sync(() => controller.abort()))
      )
      yield* Effect.all([ask(app, controller.signal), leaving], { concurrency: 2 })
      yield* left
    }).pipe(Effect.scoped)
  )
})
