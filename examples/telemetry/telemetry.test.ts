/**
 * Tests what the program of examples/telemetry sends. It decodes the spans and metrics with the messages of OpenTelemetry's
 * own package, and reads the page for Prometheus with a parser.
 */
import { assert, describe, it } from "@effect/vitest"
import { NodeServices } from "@effect/platform-node"
import { Emulator } from "@effect-gradient/emulator"
import otlp from "@opentelemetry/otlp-transformer/build/src/generated/root.js"
import { Deferred, Effect, Layer, Schema, Stream } from "effect"
import { ChildProcess } from "effect/process"
import { createServer, type IncomingMessage } from "node:http"
import { execPath } from "node:process"
import { fileURLToPath, URL } from "node:url"
import parsePrometheus from "parse-prometheus-text-format"

const { metrics, trace } = otlp.opentelemetry.proto.collector

const messages = {
  "/v1/traces": trace.v1.ExportTraceServiceRequest,
  "/v1/metrics": metrics.v1.ExportMetricsServiceRequest
} as const

/**
 * Encodes the JSON as a message of OpenTelemetry's protocol, and decodes it again. A field that the protocol does not have
 * gets lost, or makes the encoding fail.
 */
const decoded = (path: keyof typeof messages, json: unknown): unknown => {
  const message = messages[path]
  const bytes = message.encode(message.fromObject(json)).finish()
  return message.toObject(message.decode(bytes), { longs: String, bytes: String, defaults: true })
}

const isRecord = (value: unknown): value is Readonly<Record<string, unknown>> =>
  typeof value === "object" && value !== null

/**
 * Asserts that each value of `sent` is also in `found`. Values are compared as text, because numbers of 64 bits are text
 * after decoding.
 */
const assertIn = (found: unknown, sent: unknown, path = ""): void => {
  if (!isRecord(sent)) return assert.strictEqual(String(found), String(sent), path)
  for (const [name, value] of Object.entries(sent)) {
    assertIn(isRecord(found) ? found[name] : undefined, value, `${path}.${name}`)
  }
}

const Attribute = Schema.Struct({ key: Schema.String, value: Schema.Record(Schema.String, Schema.Json) })
const Span = Schema.Struct({
  traceId: Schema.String.check(Schema.isPattern(/^[0-9a-f]{32}$/)),
  spanId: Schema.String.check(Schema.isPattern(/^[0-9a-f]{16}$/)),
  parentSpanId: Schema.optionalKey(Schema.String),
  name: Schema.String,
  attributes: Schema.Array(Attribute),
  events: Schema.Array(Schema.Struct({ name: Schema.String }))
})
const Traces = Schema.Struct({
  resourceSpans: Schema.Array(Schema.Struct({ scopeSpans: Schema.Array(Schema.Struct({ spans: Schema.Array(Span) })) }))
})
const Metrics = Schema.Struct({
  resourceMetrics: Schema.Array(
    Schema.Struct({
      scopeMetrics: Schema.Array(
        Schema.Struct({ metrics: Schema.Array(Schema.Struct({ name: Schema.String, unit: Schema.String })) })
      )
    })
  )
})

const textOf = async (request: IncomingMessage) => {
  let text = ""
  for await (const chunk of request.setEncoding("utf8")) text += String(chunk)
  return text
}

const isPath = (path: string | undefined): path is keyof typeof messages => path !== undefined && path in messages

const collector = Effect.gen(function* () {
  const sent: Array<{ readonly path: keyof typeof messages; readonly text: string }> = []
  const server = createServer((request, response) => {
    void textOf(request).then((text) => {
      if (isPath(request.url)) sent.push({ path: request.url, text })
      return response.writeHead(200, { "content-type": "application/json" }).end("{}")
    })
  })
  yield* Effect.acquireRelease(
    Effect.callback<void>((resume) => void server.listen(0, "127.0.0.1", () => resume(Effect.void))),
    () => Effect.sync(() => server.close().closeAllConnections())
  )
  const address = server.address()
  const port = address !== null && typeof address === "object" ? address.port : 0
  return { url: `http://127.0.0.1:${port}`, sent }
})

/**
 * Runs the program until it serves its metrics, and reads them. Then it ends the program, so that the program sends the
 * spans and metrics that it has not sent yet. Returns the metrics for Prometheus.
 */
const run = Effect.fnUntraced(function* (collectorUrl: string) {
  const emulator = yield* Layer.build(Emulator.layerServer({ port: 0, images: "plain" }))
  const path = fileURLToPath(new URL("start.ts", import.meta.url))
  const program = yield* ChildProcess.make(execPath, [path, collectorUrl], {
    env: {
      PORT: "0",
      GRADIENT_MODEL_ACCESS_KEY: "sk-do-the-key",
      GRADIENT_BASE_URL: yield* Effect.provide(Emulator.baseUrl, emulator)
    },
    extendEnv: true
  })
  const announced = yield* Deferred.make<string>()
  yield* program.stdout.pipe(
    Stream.decodeText,
    Stream.splitLines,
    Stream.runForEach((line) =>
      line.startsWith("Metrics: ") ? Deferred.succeed(announced, line.slice("Metrics: ".length)) : Effect.void
    ),
    Effect.forkScoped
  )
  const url = yield* Deferred.await(announced)
  const prometheus = yield* Effect.promise(async () => (await fetch(url)).text())
  yield* program.kill({ killSignal: "SIGTERM" })
  yield* program.exitCode
  return prometheus
}, Effect.provide(NodeServices.layer))

describe("examples/telemetry", () => {
  it.live("a collector and Prometheus understand what the program sends", () =>
    Effect.gen(function* () {
      const { sent, url } = yield* collector
      const prometheus = yield* run(url)
      for (const { path, text } of sent) {
        const json: unknown = JSON.parse(text)
        assertIn(decoded(path, json), json)
        assert.notInclude(text, "lighthouse")
        assert.notInclude(text, "sk-do-the-key")
      }
      const textsOf = (path: string) => sent.filter((each) => each.path === path).map(({ text }) => text)

      const spans = textsOf("/v1/traces")
        .map((text) => Schema.decodeUnknownSync(Schema.fromJsonString(Traces))(text))
        .flatMap(({ resourceSpans }) =>
          resourceSpans.flatMap(({ scopeSpans }) => scopeSpans.flatMap((scope) => scope.spans))
        )
      const named = (name: string) => spans.find((span) => span.name === name)
      const [call, attempt] = [named("Images.generateStream"), named("Images.attempt")]
      assert.strictEqual(attempt?.parentSpanId, call?.spanId)
      const attributes = Object.fromEntries(attempt?.attributes.map(({ key, value }) => [key, value]) ?? [])
      assert.deepInclude(attributes, {
        "gen_ai.operation.name": { stringValue: "generate_content" },
        "gen_ai.output.type": { stringValue: "image" },
        "gradient.image.charged": { stringValue: "yes" },
        "gradient.image.partial_images": { intValue: 2 }
      })
      assert.deepStrictEqual(
        attempt?.events.map(({ name }) => name),
        ["gradient.image.partial_image", "gradient.image.partial_image"]
      )

      const units = textsOf("/v1/metrics")
        .map((text) => Schema.decodeUnknownSync(Schema.fromJsonString(Metrics))(text))
        .flatMap(({ resourceMetrics }) =>
          resourceMetrics.flatMap(({ scopeMetrics }) => scopeMetrics.flatMap((scope) => scope.metrics))
        )
      assert.deepInclude(Object.fromEntries(units.map(({ name, unit }) => [name, unit])), {
        "gen_ai.client.operation.duration": "s",
        "gen_ai.client.operation.time_to_first_chunk": "s",
        "gen_ai.client.token.usage": "{token}",
        "gradient.image.bytes": "By"
      })

      const families = parsePrometheus(prometheus)
      const samplesOf = (name: string) => families.find((family) => family.name === name)?.metrics ?? []
      const [duration] = samplesOf("gen_ai_client_operation_duration")
      assert.strictEqual(duration?.buckets?.["+Inf"], "1")
      const [attempts] = samplesOf("gradient_image_attempts")
      assert.strictEqual(attempts?.value, "1")
      assert.deepInclude(attempts?.labels, {
        gen_ai_request_model: "openai-gpt-image-2",
        gradient_image_outcome: "Completed"
      })
      assert.notInclude(prometheus, "lighthouse")
    }).pipe(Effect.scoped)
  )
})
