import { describe, expect, it } from "@effect/vitest"
import * as Config from "effect/Config"
import * as ConfigProvider from "effect/ConfigProvider"
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as HttpClient from "effect/http/HttpClient"
import * as HttpClientRequest from "effect/http/HttpClientRequest"
import * as Layer from "effect/Layer"
import * as Redacted from "effect/Redacted"
import * as Stream from "effect/Stream"
import { inspect } from "node:util"
import { GradientClient, Images, RetryPolicy } from "../src/index.ts"
import * as Service from "./support/Service.ts"
import * as Wire from "./support/Wire.ts"

const prompt = "a sea otter"
const drawn = () => Response.json(Wire.response())

/** The first request that the service gets from a call with these options of the layer and of the call. */
const requestOf = (layer: GradientClient.Options, call: GradientClient.RequestOptions = {}) => {
  const service = Service.make(drawn, layer)
  return Images.generate({ prompt }, call).pipe(
    Effect.provide(service.layer),
    Effect.map(() => service.asked[0])
  )
}

const headersOf = (layer: GradientClient.Options, call?: GradientClient.RequestOptions) =>
  Effect.map(requestOf(layer, call), (asked) => ({ ...asked?.headers }))

/** The first request that the service gets from a call through this client. */
const requestThrough = <E>(client: Layer.Layer<GradientClient.GradientClient, E, HttpClient.HttpClient>) => {
  const service = Service.transport(drawn)
  return Images.generate({ prompt }).pipe(
    Effect.provide(Images.layer.pipe(Layer.provide(client), Layer.provide(service.layer))),
    Effect.map(() => service.asked[0])
  )
}

const fromEnvironment = (environment: Record<string, string>, options?: GradientClient.Options) =>
  requestThrough(GradientClient.layerFromConfig(options)).pipe(
    Effect.provideService(ConfigProvider.ConfigProvider, ConfigProvider.fromEnv({ env: environment }))
  )

describe("GradientClient", () => {
  describe("the request", () => {
    it.effect("is a POST of JSON with the key, to the endpoint", () =>
      Effect.gen(function* () {
        const asked = yield* requestOf({})
        expect(asked?.url).toBe("https://inference.do-ai.run/v1/images/generations")
        expect(asked?.headers).toMatchObject({
          authorization: `Bearer ${Service.key}`,
          "content-type": "application/json",
          accept: "application/json, text/event-stream"
        })
      })
    )

    it.effect("is sent below the base URL, with or without a slash at its end", () =>
      Effect.gen(function* () {
        for (const baseUrl of ["http://localhost:1/v1", "http://localhost:1/v1/", "http://localhost:1/v1//"]) {
          expect((yield* requestOf({ baseUrl }))?.url).toBe("http://localhost:1/v1/images/generations")
        }
      })
    )

    it.effect("uses the model access key, else the token, and sends no Authorization without either", () =>
      Effect.gen(function* () {
        const accessToken = Redacted.make("dop_v1_token")
        expect(yield* headersOf({ accessToken })).toHaveProperty("authorization", `Bearer ${Service.key}`)
        const alone = { modelAccessKey: undefined, accessToken }
        expect(yield* headersOf(alone)).toHaveProperty("authorization", "Bearer dop_v1_token")
        expect(yield* headersOf({ modelAccessKey: undefined })).not.toHaveProperty("authorization")
      })
    )

    it.effect("adds headers of the layer, then of the call; null removes one", () =>
      Effect.gen(function* () {
        const layer = { headers: { "X-One": "1", "x-two": "2", "X-Three": "3" } }
        const headers = yield* headersOf(layer, { headers: { "x-two": "two", "x-three": null, authorization: null } })
        expect(headers).toMatchObject({ "x-one": "1", "x-two": "two" })
        expect(headers).not.toHaveProperty("x-three")
        expect(headers).not.toHaveProperty("authorization")
      })
    )

    it.effect("has the idempotency key if one is set", () =>
      Effect.gen(function* () {
        expect(yield* headersOf({}, { idempotencyKey: "k-1" })).toHaveProperty("idempotency-key", "k-1")
        expect(yield* headersOf({})).not.toHaveProperty("idempotency-key")
      })
    )

    it.effect("has the same reason if a transform refuses the status", () =>
      Effect.gen(function* () {
        const refuse = { transformClient: HttpClient.filterStatusOk, retry: RetryPolicy.none }
        const limited = Service.make(() => new Response("slowly", { status: 429 }), refuse)
        const reason = yield* Images.generate({ prompt }).pipe(Service.reasonOf, Effect.provide(limited.layer))
        expect(reason).toMatchObject({ _tag: "RateLimitError", description: "slowly", mayHaveBeenCharged: false })
      })
    )

    it.effect("errors do not contain the key, wherever the service repeats it", () =>
      Effect.gen(function* () {
        const error = { error: { message: `bad key ${Service.key}`, code: "invalid_api_key" } }
        const escaped = Service.key.replace("s", "\\u0073")
        const replies = [
          () => Response.json(error, { status: 401 }),
          () => new Response(null, { status: 307, headers: { location: `https://x/?k=${Service.key}` } }),
          () => Response.json(error),
          () => Response.json({ created: Service.key }),
          () => new Response(Service.key),
          () => Wire.stream([`data: ${JSON.stringify(error)}\n\n`]),
          () => Wire.stream([`data: ${Service.key}\n\n`]),
          () => new Response(`{"error":{"message":"bad key ${escaped}"}}`, { status: 401 }),
          () => Wire.stream([`event: error\ndata: {"error":{"message":"bad key ${escaped}"}}\n\n`]),
          () => new Response(null, { status: 401, headers: { "x-request-id": Service.key } }),
          () => Response.json({}, { headers: { "x-request-id": Service.key } })
        ]
        for (const reply of replies) {
          const service = Service.make(reply, { retry: RetryPolicy.none })
          const whole = yield* Images.generate({ prompt }).pipe(Effect.flip, Effect.provide(service.layer))
          const stream = Stream.runDrain(Images.generateStream({ prompt }))
          const growing = yield* stream.pipe(Effect.flip, Effect.provide(service.layer))
          expect(inspect([whole, growing], { depth: 50 }) + JSON.stringify([whole, growing])).not.toContain(Service.key)
        }
      })
    )

    it.effect("values that are not secret are not redacted in the service's message", () =>
      Effect.gen(function* () {
        const headers = { "retry-after": "100", "x-request-id": "req-1" }
        const service = Service.make(() => new Response("1 more", { status: 429, headers }))
        const call = { idempotencyKey: "1", headers: { "x-token": "q" } }
        const reason = yield* Images.generate({ prompt }, call).pipe(Service.reasonOf, Effect.provide(service.layer))
        expect(reason).toMatchObject({ description: "1 more", requestId: "req-1", headers: { "retry-after": "100" } })
        expect(reason.retryAfter).toEqual(Duration.seconds(100))
      })
    )

    it.effect("goes through transformClient", () =>
      Effect.gen(function* () {
        const transformClient = HttpClient.mapRequest(HttpClientRequest.setHeader("x-added", "1"))
        expect(yield* headersOf({ transformClient })).toHaveProperty("x-added", "1")
      })
    )
  })

  describe("InvalidParamsError for requests that cannot be sent", () => {
    const secret = "hidden-value"
    const refused = (layer: GradientClient.Options, call: GradientClient.RequestOptions = {}) =>
      Effect.gen(function* () {
        const service = Service.make(drawn, layer)
        const error = yield* Images.generate({ prompt }, call).pipe(Effect.provide(service.layer), Effect.flip)
        expect(service.asked).toEqual([])
        expect(error.reason._tag).toBe("InvalidParamsError")
        expect(error.mayHaveBeenCharged).toBe(false)
        expect(inspect(error, { depth: 50, showHidden: true })).not.toContain(secret)
        expect(JSON.stringify(error)).not.toContain(secret)
        expect(String(error.cause)).not.toContain(secret)
        return error.message
      })

    it.effect.each(["\n", "\r\nx-other: 1", "\0", "\u{1f9a6}", "\x7f"])(
      "a header's value with %j, which the message does not repeat",
      (bad) =>
        Effect.gen(function* () {
          expect(yield* refused({ headers: { "x-one": secret + bad } })).toContain("headers.x-one")
          expect(yield* refused({}, { headers: { "x-two": secret + bad } })).toContain("headers.x-two")
          expect(yield* refused({}, { idempotencyKey: secret + bad })).toContain("idempotencyKey")
          expect(yield* refused({ modelAccessKey: Redacted.make(`${secret}${bad}end`) })).toContain("modelAccessKey")
        })
    )

    it.effect("a header's name", () =>
      Effect.gen(function* () {
        expect(yield* refused({ headers: { "x one": secret } })).toContain("headers.x one")
        yield* refused({ headers: { "": secret } })
      })
    )

    it.effect.each([
      "not a url",
      "http://",
      "",
      "//host/v1",
      `http://user:${secret}@ho st/v1`,
      "http://localhost:99999",
      "ftp://localhost/v1",
      "localhost:8080/v1"
    ])("the base URL %j", (baseUrl) =>
      Effect.gen(function* () {
        expect(yield* refused({ baseUrl })).toContain("baseUrl must be a URL of http or https")
      })
    )
  })

  describe("invalid options of a layer", () => {
    it.effect("fail when the layer is built, all problems at once", () =>
      Effect.gen(function* () {
        const options = { baseUrl: "https://host/v1#top", timeout: 0, model: " ", headers: { "x one": "1" } }
        const client = Layer.provide(GradientClient.layer(options), Service.transport(drawn).layer)
        const error = yield* Effect.flip(Effect.scoped(Layer.build(client)))
        expect(error.reason).toMatchObject({
          _tag: "InvalidParamsError",
          issues: [{ param: "baseUrl" }, { param: "headers.x one" }, { param: "model" }, { param: "timeout" }]
        })
      })
    )
  })

  describe("a key that was given as another option is not shown", () => {
    const known = "sk-do-a-key-of-the-service"
    const own = "the-key-of-a-gateway"
    const gone = Response.json({ id: "not_found", message: "Model not found" }, { status: 404 })

    const mistakes: ReadonlyArray<readonly [string, (key: string) => GradientClient.Options]> = [
      ["baseUrl", (key) => ({ baseUrl: `${key}#` })],
      ["baseUrl", (key) => ({ baseUrl: `http://${key}:port` })],
      ["model", (key) => ({ model: key })],
      // @ts-expect-error - as from plain JavaScript
      ["timeout", (key) => ({ timeout: key })],
      // @ts-expect-error - as from plain JavaScript
      ["retry", (key) => ({ retry: key })],
      // @ts-expect-error - as from plain JavaScript
      ["limits", (key) => ({ limits: { errorBytes: key } })]
    ]
    it.effect.each(mistakes)("%s of a layer", ([, optionsOf]) =>
      Effect.gen(function* () {
        for (const key of [known, own]) {
          const { layer } = Service.make(() => gone.clone(), { modelAccessKey: Redacted.make(own), ...optionsOf(key) })
          const error = yield* Images.generate({ prompt }).pipe(Effect.provide(layer), Effect.flip)
          expect(inspect(error, { depth: 50, showHidden: true })).not.toContain(key)
          expect(error.message).toContain("<redacted>")
        }
      })
    )

    it.effect("an option or a param of a call", () =>
      Effect.gen(function* () {
        for (const key of [known, own]) {
          const { layer } = Service.make(() => gone.clone(), { modelAccessKey: Redacted.make(own) })
          const ask = (model: string, timeout: Duration.Input = "1 second") =>
            Images.generate({ prompt, model }, { timeout }).pipe(Effect.provide(layer), Effect.flip)
          // @ts-expect-error - as from plain JavaScript
          for (const error of [yield* ask(key), yield* ask("m", key)]) {
            expect(inspect(error, { depth: 50, showHidden: true })).not.toContain(key)
            expect(error.message).toContain("<redacted>")
          }
        }
      })
    )
  })

  describe("the model", () => {
    const gone = () => Response.json({ id: "not_found", message: "Model not found" }, { status: 404 })

    it.effect("is the call's, else the layer's, else the environment's, else the default", () =>
      Effect.gen(function* () {
        const env = { GRADIENT_MODEL_ACCESS_KEY: "k", GRADIENT_IMAGE_MODEL: "of-environment" }
        const sent = (layer: GradientClient.Options) => Effect.map(fromEnvironment(env, layer), (asked) => asked?.body)
        expect(yield* sent({})).toHaveProperty("model", "of-environment")
        expect(yield* sent({ model: "of-layer" })).toHaveProperty("model", "of-layer")
        expect((yield* requestOf({}))?.body).toHaveProperty("model", "openai-gpt-image-2")
        expect((yield* requestOf({ model: "of-layer" }, { extraBody: { model: "x" } }))?.body).toHaveProperty(
          "model",
          "x"
        )
      })
    )

    it.effect("that does not exist is named, with the source of its name and how to list the models", () =>
      Effect.gen(function* () {
        const layer = Service.make(gone, { model: "of-layer" }).layer
        const ofLayer = yield* Images.generate({ prompt }).pipe(Service.reasonOf, Effect.provide(layer))
        expect(ofLayer).toMatchObject({ _tag: "NotFoundError", model: "of-layer", isRetryable: false })
        expect(ofLayer.message).toContain(`"of-layer", from the layer's \`model\`: Model not found`)
        expect(ofLayer.message).toContain("`Models.list` and `gradient-images models` list all models")
        const stream = Images.generateStream({ prompt, model: "of-call" }).pipe(Stream.runDrain)
        const ofCall = yield* stream.pipe(Service.reasonOf, Effect.provide(layer))
        expect(ofCall.message).toContain(`"of-call", from the call's \`model\``)
      })
    )
  })

  describe("from Configs", () => {
    it.effect("layerConfig takes the same options", () =>
      Effect.gen(function* () {
        const client = GradientClient.layerConfig({
          modelAccessKey: Config.Redacted("MY_KEY"),
          baseUrl: Config.succeed("http://localhost:1")
        })
        const provider = ConfigProvider.fromEnv({ env: { MY_KEY: "k" } })
        const asked = yield* requestThrough(client).pipe(Effect.provideService(ConfigProvider.ConfigProvider, provider))
        expect(asked?.headers["authorization"]).toBe("Bearer k")
        expect(asked?.url).toBe("http://localhost:1/images/generations")
      })
    )

    it.effect("the key is the model access key, else the token", () =>
      Effect.gen(function* () {
        const both = { GRADIENT_MODEL_ACCESS_KEY: "k", DIGITALOCEAN_ACCESS_TOKEN: "t" }
        expect((yield* fromEnvironment(both))?.headers["authorization"]).toBe("Bearer k")
        const token = { GRADIENT_MODEL_ACCESS_KEY: " ", DIGITALOCEAN_ACCESS_TOKEN: "t\n" }
        expect((yield* fromEnvironment(token))?.headers["authorization"]).toBe("Bearer t")
      })
    )

    it.effect("the endpoint is the base URL, else the host, else the service's own", () =>
      Effect.gen(function* () {
        const url = (environment: Record<string, string>) =>
          Effect.map(fromEnvironment({ GRADIENT_MODEL_ACCESS_KEY: "k", ...environment }), (asked) => asked?.url)
        const host = { GRADIENT_INFERENCE_ENDPOINT: "inference.test" }
        expect(yield* url({ GRADIENT_BASE_URL: "http://localhost:1/v2", ...host })).toBe(
          "http://localhost:1/v2/images/generations"
        )
        expect(yield* url(host)).toBe("https://inference.test/v1/images/generations")
        expect(yield* url({})).toBe("https://inference.do-ai.run/v1/images/generations")
      })
    )

    it.effect("options override the environment", () =>
      Effect.gen(function* () {
        const environment = { GRADIENT_MODEL_ACCESS_KEY: "k", GRADIENT_BASE_URL: "http://localhost:1" }
        const options = { accessToken: Redacted.make("t"), baseUrl: "http://localhost:2" }
        const asked = yield* fromEnvironment(environment, options)
        expect(asked?.headers["authorization"]).toBe("Bearer t")
        expect(asked?.url).toBe("http://localhost:2/images/generations")
      })
    )

    it.effect("without a key the error names both variables and where to get one", () =>
      Effect.gen(function* () {
        const error = yield* Effect.flip(fromEnvironment({}))
        expect(error._tag).toBe("ConfigError")
        expect(error.message).toContain("GRADIENT_MODEL_ACCESS_KEY")
        expect(error.message).toContain("DIGITALOCEAN_ACCESS_TOKEN")
        expect(error.message).toContain("cloud.digitalocean.com")
      })
    )
  })

  describe("a failure of the transport", () => {
    const failedWith = (cause: Error) =>
      Images.generate({ prompt }, { retry: RetryPolicy.none }).pipe(
        Service.reasonOf,
        Effect.provide(Service.make(() => cause).layer)
      )
    const error = (properties: object, cause?: unknown) =>
      Object.assign(new Error("fetch failed", { cause }), properties)
    const marked = error({})
    GradientClient.markNotSent(marked)
    const several = error({}, new AggregateError([error({ syscall: "connect", code: "ECONNREFUSED" })], "all failed"))

    it.effect.each([
      { what: "a refused connection", cause: error({ syscall: "connect", code: "ECONNREFUSED" }) },
      { what: "a name that is not found", cause: error({ syscall: "getaddrinfo", code: "ENOTFOUND" }) },
      { what: "one below another", cause: error({}, error({ syscall: "connect" })) },
      { what: "one of several addresses", cause: several },
      { what: "what the transport marked", cause: marked },
      { what: "what it marked below another", cause: error({}, marked) }
    ])("is ConnectionError, not charged, after $what", ({ cause }) =>
      Effect.gen(function* () {
        const reason = yield* failedWith(cause)
        expect(reason).toMatchObject({ _tag: "ConnectionError", mayHaveBeenCharged: false, isRetryable: true })
        expect(reason.cause).toBe(cause)
      })
    )

    it.effect.each([
      { what: "a reset", cause: error({ syscall: "read", code: "ECONNRESET" }) },
      { what: "what nobody knows", cause: error({}) },
      { what: "a browser's words", cause: new TypeError("Failed to fetch") },
      { what: "a code that is an inherited name", cause: error({ code: "constructor" }) }
    ])("is DisconnectedError, maybe charged, after $what", ({ cause }) =>
      Effect.gen(function* () {
        const reason = yield* failedWith(cause)
        expect(reason).toMatchObject({ _tag: "DisconnectedError", mayHaveBeenCharged: true, isRetryable: true })
      })
    )

    it.effect.each([
      { code: "UND_ERR_CONNECT_TIMEOUT", phase: "connect", charged: false },
      { code: "UND_ERR_HEADERS_TIMEOUT", phase: "response", charged: true },
      { code: "UND_ERR_BODY_TIMEOUT", phase: "idle", charged: true }
    ])("is RequestTimeoutError of phase $phase after $code", ({ charged, code, phase }) =>
      Effect.gen(function* () {
        const reason = yield* failedWith(error({}, error({ code })))
        expect(reason).toMatchObject({ _tag: "RequestTimeoutError", phase, mayHaveBeenCharged: charged })
      })
    )

    it.effect("has the message of the innermost cause", () =>
      Effect.gen(function* () {
        const reason = yield* failedWith(error({}, new Error("other side closed")))
        expect(reason.message).toContain("other side closed")
      })
    )

    it.effect("handles causes that form a cycle", () =>
      Effect.gen(function* () {
        const circle = error({})
        circle.cause = circle
        expect((yield* failedWith(circle))._tag).toBe("DisconnectedError")
      })
    )
  })
})
