import { assert, describe, it } from "@effect/vitest"
import { Emulator } from "@effect-gradient/emulator"
import { Effect, Layer } from "effect"
import { createServer, type IncomingMessage } from "node:http"
import { join } from "node:path"
import { folder, run } from "./support/cli.ts"
import { callers, gateway } from "./support/gateway.ts"
import { server as mcpServer } from "./support/mcp.ts"

const prompt = "a secret sea otter"

const textOf = async (request: IncomingMessage) => {
  let text = ""
  for await (const chunk of request.setEncoding("utf8")) text += String(chunk)
  return text
}

/** A collector on loopback. It records what is sent to it. `bodies` returns what was sent to a path. */
const collector = Effect.gen(function* () {
  const sent: Array<{ readonly path: string | undefined; readonly body: string }> = []
  const server = createServer((request, response) => {
    void textOf(request).then((body) => {
      sent.push({ path: request.url, body })
      return response.writeHead(200, { "content-type": "application/json" }).end("{}")
    })
  })
  yield* Effect.acquireRelease(
    Effect.callback<void>((resume) => void server.listen(0, "127.0.0.1", () => resume(Effect.void))),
    () => Effect.sync(() => server.close().closeAllConnections())
  )
  const address = server.address()
  const port = address !== null && typeof address === "object" ? address.port : 0
  const bodies = (path: string) => sent.filter((each) => each.path === path).map(({ body }) => body)
  return { url: `http://127.0.0.1:${port}`, sent, bodies }
})

const service = Effect.gen(function* () {
  const context = yield* Layer.build(Emulator.layerServer({ port: 0, images: "plain" }))
  return yield* Effect.provide(Emulator.baseUrl, context)
})

/** Waits until `holds` returns true, or fails after about 20 seconds. The exporters send every few seconds. */
const eventually = (holds: () => boolean) =>
  Effect.promise(async () => {
    for (let i = 0; i < 1000 && !holds(); i++) await new Promise((resolve) => setTimeout(resolve, 20))
    assert.isTrue(holds())
  })

const ask = (url: string, body: object) =>
  Effect.promise(async () => {
    const response = await fetch(`${url}/images/generations`, {
      method: "POST",
      headers: { "content-type": "application/json", authorization: "Bearer alice" },
      body: JSON.stringify(body)
    })
    assert.strictEqual(response.status, 200)
    return response.text()
  })

const metricsOf = (origin: string) =>
  Effect.promise(async () => {
    const response = await fetch(`${origin}/metrics`)
    return { status: response.status, text: await response.text() }
  })

const secrets = [prompt, "sk-do-test", "alice"]

describe("OTEL_EXPORTER_OTLP_ENDPOINT", () => {
  it.live("sends the spans and metrics of `generate`, without prompt and key", () =>
    Effect.gen(function* () {
      const { bodies, sent, url } = yield* collector
      const args = ["generate", prompt, "--size", "1024x1024", "--partial-images", "1", "-o", "otter.png"]
      const env = { OTEL_EXPORTER_OTLP_ENDPOINT: url, OTEL_SERVICE_NAME: "posters" }
      const { code, stderr } = yield* run(args, { cwd: yield* folder, baseUrl: yield* service, env })
      assert.strictEqual(code, 0, stderr)
      const [traces, metrics] = [bodies("/v1/traces").join(), bodies("/v1/metrics").join()]
      for (const text of ["posters", "Images.generateStream", "Images.attempt", "gradient.image.partial_image"]) {
        assert.include(traces, text)
      }
      for (const text of ["posters", "gen_ai.client.operation.duration", "gen_ai.client.token.usage"]) {
        assert.include(metrics, text)
      }
      assert.deepStrictEqual(bodies("/v1/logs"), [])
      for (const secret of secrets) assert.notInclude(JSON.stringify(sent), secret)
    }).pipe(Effect.scoped)
  )

  it.live.each<readonly [attributes: string, name: string, other: string]>([
    ["service.name=posters,team=print", '"posters"', "gradient-images"],
    ["team=print", '"gradient-images"', "posters"]
  ])(
    "gets the service's name from OTEL_RESOURCE_ATTRIBUTES, else the name of the program (%s)",
    ([text, name, other]) =>
      Effect.gen(function* () {
        const { bodies, url } = yield* collector
        const env = { OTEL_EXPORTER_OTLP_ENDPOINT: url, OTEL_RESOURCE_ATTRIBUTES: text }
        yield* run(["generate", prompt, "--emulate", "-o", "otter.png"], { cwd: yield* folder, env })
        const resource = /"resource":\{.*?\]/.exec(bodies("/v1/traces").join())?.[0] ?? ""
        assert.include(resource, name)
        assert.notInclude(resource, other)
      }).pipe(Effect.scoped)
  )

  it.live("that does not answer does not fail the command", () =>
    Effect.gen(function* () {
      const env = { OTEL_EXPORTER_OTLP_ENDPOINT: "http://127.0.0.1:1", OTEL_SERVICE_NAME: "" }
      const args = ["generate", prompt, "--emulate", "-o", "otter.png"]
      const { code, stderr } = yield* run(args, { cwd: yield* folder, env })
      assert.strictEqual(code, 0, stderr)
    }).pipe(Effect.scoped)
  )

  it.live("that is not a URL is wrong usage, and nothing is sent", () =>
    Effect.gen(function* () {
      const env = { OTEL_EXPORTER_OTLP_ENDPOINT: "collector" }
      const { code, stderr } = yield* run(["generate", prompt, "--emulate"], { cwd: yield* folder, env })
      assert.strictEqual(code, 2)
      assert.include(
        stderr,
        "The environment variable OTEL_EXPORTER_OTLP_ENDPOINT is not set, or its value cannot be used: "
      )
    }).pipe(Effect.scoped)
  )

  it.live("sends the spans and metrics of the tools of mcp", () =>
    Effect.gen(function* () {
      const { bodies, url } = yield* collector
      const env = {
        OTEL_EXPORTER_OTLP_ENDPOINT: url,
        OTEL_BSP_SCHEDULE_DELAY: "100",
        OTEL_METRIC_EXPORT_INTERVAL: "100"
      }
      const { call } = yield* mcpServer(yield* service, [], undefined, env)
      yield* call("generate_image", { prompt })
      yield* eventually(() => bodies("/v1/traces").join().includes("Images.attempt"))
      yield* eventually(() => bodies("/v1/metrics").join().includes("gradient.image.attempts"))
    }).pipe(Effect.scoped)
  )

  it.live("sends the spans and metrics of the gateway, without prompts and keys", () =>
    Effect.gen(function* () {
      const { bodies, sent, url: endpoint } = yield* collector
      const env = {
        ...callers,
        OTEL_EXPORTER_OTLP_ENDPOINT: endpoint,
        OTEL_BSP_SCHEDULE_DELAY: "100",
        OTEL_METRIC_EXPORT_INTERVAL: "100"
      }
      const { url } = yield* gateway(yield* service, [], env)
      yield* ask(url, { prompt })
      yield* eventually(() => bodies("/v1/traces").join().includes("Images.attempt"))
      yield* eventually(() => bodies("/v1/metrics").join().includes("gradient.image.attempts"))
      assert.include(bodies("/v1/traces").join(), "gradient.image.charged")
      assert.include(bodies("/v1/traces").join(), "gradient-images")
      for (const secret of secrets) assert.notInclude(JSON.stringify(sent), secret)
    }).pipe(Effect.scoped)
  )
})

describe("gradient-images gateway --metrics", () => {
  it.live("serves metrics for Prometheus, without a key", () =>
    Effect.gen(function* () {
      const { origin, url } = yield* gateway(yield* service, ["--metrics"])
      yield* ask(url, { prompt })
      const { status, text } = yield* metricsOf(origin)
      assert.strictEqual(status, 200)
      assert.match(text, /^gradient_image_attempts\{.*gradient_image_outcome="Completed".*\} 1$/m)
      assert.match(text, /^gen_ai_client_operation_duration_count\{.*\} 1$/m)
      for (const secret of secrets) assert.notInclude(text, secret)
    }).pipe(Effect.scoped)
  )

  it.live("counts tokens, bytes and doubts of a durable gateway", () =>
    Effect.gen(function* () {
      const cwd = yield* folder
      const args = ["--journal", join(cwd, "journal.db"), "--store", join(cwd, "images")]
      const { origin, url } = yield* gateway(yield* service, args, { ...callers, GATEWAY_METRICS: "true" })
      yield* ask(url, { prompt })
      const { text } = yield* metricsOf(origin)
      assert.match(text, /^gen_ai_client_token_usage_count\{.*gen_ai_token_type="output".*\} 1$/m)
      assert.match(text, /^gradient_image_bytes\{.*\} [1-9]\d+$/m)
      assert.match(text, /^gradient_image_in_doubt 0$/m)
    }).pipe(Effect.scoped)
  )

  it.live("is off by default: there is no /metrics", () =>
    Effect.gen(function* () {
      const { origin } = yield* gateway(yield* service)
      assert.strictEqual((yield* metricsOf(origin)).status, 404)
    }).pipe(Effect.scoped)
  )
})
