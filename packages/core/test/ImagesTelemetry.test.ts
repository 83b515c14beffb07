import { describe, expect, it } from "@effect/vitest"
import * as Cause from "effect/Cause"
import * as DateTime from "effect/DateTime"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import * as Metric from "effect/Metric"
import * as Stream from "effect/Stream"
import * as Tracer from "effect/Tracer"
import { inspect } from "node:util"
import { Attempt, type GradientClient, GradientError, Images, RetryPolicy } from "../src/index.ts"
import * as ImagesTelemetry from "../src/ImagesTelemetry.ts"
import * as Service from "./support/Service.ts"
import * as Wire from "./support/Wire.ts"

const prompt = "a secret sea otter"
const model = "openai-gpt-image-2"
const generate = Images.generate({ prompt, size: "1024x1024", quality: "low", outputFormat: "png" })
const generateStream = Images.generateStream({ prompt, partialImages: 2 })

const good = (more: object = { usage: Wire.usage }) => Response.json(Wire.response([Wire.png(100)], more))
const busy = () => Response.json({ error: { message: "slow down" } }, { status: 429, headers: { "retry-after": "0" } })
const broken = () => Response.json({ error: { message: "no" } }, { status: 500 })

const partial = (index: number) => Wire.event(Wire.partial(index, Wire.png(20 + index)))
const completed = Wire.event(Wire.completed(Wire.png(40), { usage: Wire.usage }))

interface Observed {
  readonly options?: ImagesTelemetry.Options
  readonly client?: GradientClient.Options
  readonly answer?: (number: number) => Service.Answer
}

/** Runs a call. Returns its result, its spans, and metrics that no other call has changed. */
const observe = <A, E>(
  call: Effect.Effect<A, E, Images.Images>,
  { answer = () => good(), client = {}, options = {} }: Observed = {}
) =>
  Effect.gen(function* () {
    const spans: Array<Tracer.NativeSpan> = []
    const tracer = Tracer.make({
      span(of) {
        const span = new Tracer.NativeSpan(of)
        spans.push(span)
        return span
      }
    })
    const service = Service.make(answer, client)
    const layer = ImagesTelemetry.layer(options).pipe(Layer.provide(service.layer))
    const exit = yield* call.pipe(Effect.provide(layer), Effect.withTracer(tracer), Effect.exit)
    const named = (name: string) => spans.filter((span) => span.name === name)
    return { exit, spans, named, metrics: yield* Metric.snapshot }
  }).pipe(Effect.provideService(Metric.MetricRegistry, new Map()))

const only = <A>(values: ReadonlyArray<A>): A => {
  expect(values.length).toBe(1)
  const [value] = values
  if (value === undefined) throw new Error("no value")
  return value
}

type Snapshots = ReadonlyArray<Metric.Metric.Snapshot>

/**
 * The value of a counter, or the sum of a histogram, for each metric that has this id and at least these attributes.
 */
const valueOf = (metrics: Snapshots, id: string, attributes: Readonly<Record<string, string>> = {}) => {
  const found = metrics.filter(
    (metric) =>
      metric.id === id && Object.entries(attributes).every(([name, value]) => metric.attributes?.[name] === value)
  )
  return found.map(({ state }) => ("sum" in state ? state.sum : "count" in state ? state.count : undefined))
}

/** The metrics, and the names, attributes, events and failures of the spans, as text. */
const exported = (spans: ReadonlyArray<Tracer.NativeSpan>, metrics: Snapshots) =>
  inspect(
    [
      metrics,
      spans.map(({ attributes, events, name, status }) => [
        name,
        attributes,
        events,
        status._tag === "Ended" && status.exit._tag === "Failure"
          ? Cause.prettyErrors(status.exit.cause, { includeCauseInStack: true }).map((error) => [
              error.message,
              error.stack,
              { ...error }
            ])
          : []
      ])
    ],
    { depth: 50, maxArrayLength: null, maxStringLength: null }
  )

const requested = {
  "gen_ai.operation.name": "generate_content",
  "gen_ai.provider.name": "digitalocean",
  "gen_ai.request.model": model,
  "gen_ai.request.choice.count": 1,
  "gen_ai.output.type": "image",
  "server.address": "inference.do-ai.run",
  "server.port": 443
}

describe("ImagesTelemetry", () => {
  it.effect("does not export a key that was given as the model", () =>
    Effect.gen(function* () {
      const key = "sk-do-pasted-into-the-wrong-place"
      const { metrics, spans } = yield* observe(Images.generate({ prompt: "x", model: key }))
      expect(spans.length).toBeGreaterThan(0)
      expect(exported(spans, metrics)).not.toContain(key)
      expect(exported(spans, metrics)).toContain("<redacted>")
    })
  )

  it.effect("describes the request and its result on the span of the call and on that of the attempt", () =>
    Effect.gen(function* () {
      const { named } = yield* observe(generate)
      const all = {
        ...requested,
        "gen_ai.usage.input_tokens": 10,
        "gen_ai.usage.output_tokens": 1000,
        "gradient.image.size": "1024x1024",
        "gradient.image.quality": "low",
        "gradient.image.format": "png",
        "gradient.image.count": 1,
        "gradient.image.bytes": 100,
        "gradient.image.partial_images": 0,
        "gradient.image.charged": "yes"
      }
      const [call, attempt] = [only(named("Images.generate")), only(named("Images.attempt"))]
      expect(Object.fromEntries(call.attributes)).toEqual(all)
      expect(Object.fromEntries(attempt.attributes)).toEqual({ ...all, attempt: 1 })
    })
  )

  it.effect("describes a stream, with an event for each partial image, on spans that last until its outcome", () =>
    Effect.gen(function* () {
      const open = Wire.openStream()
      const steps = Effect.gen(function* () {
        yield* Service.advance("3 seconds")
        yield* Effect.andThen(
          Effect.sync(() => open.write(partial(0))),
          Service.settle
        )
        yield* Service.advance("2 seconds")
        yield* Effect.andThen(
          Effect.sync(() => open.write(partial(1))),
          Service.settle
        )
        yield* Service.advance("1 second")
        yield* Effect.sync(() => open.write(completed))
      })
      const call = Effect.all([Stream.runDrain(generateStream), steps], { concurrency: 2 })
      const { metrics, named } = yield* observe(call, { answer: () => open.response })
      for (const span of [only(named("Images.generateStream")), only(named("Images.attempt"))]) {
        const { attributes, events, status } = span
        expect(Object.fromEntries(attributes)).toMatchObject({
          ...requested,
          "gen_ai.usage.output_tokens": 1000,
          "gradient.image.partial_images.requested": 2,
          "gradient.image.partial_images": 2,
          "gradient.image.bytes": 40,
          "gradient.image.charged": "yes"
        })
        expect(events).toEqual(
          [3, 5].map((seconds, index) => [
            "gradient.image.partial_image",
            BigInt(seconds * 1e9),
            {
              "gradient.image.index": index,
              "gradient.image.bytes": 20 + index,
              "gradient.image.elapsed": seconds
            }
          ])
        )
        expect(status).toMatchObject({ _tag: "Ended", startTime: 0n, endTime: 6_000_000_000n })
      }
      expect(valueOf(metrics, "gen_ai.client.operation.time_to_first_chunk")).toEqual([3])
      expect(valueOf(metrics, "gen_ai.client.operation.duration")).toEqual([6])
    })
  )

  it.effect("a stream that is left is in doubt, on the spans and in the metrics", () =>
    Effect.gen(function* () {
      const { metrics, named } = yield* observe(Stream.runDrain(Stream.take(generateStream, 1)), {
        answer: () => Wire.stream([partial(0), completed])
      })
      for (const span of [only(named("Images.generateStream")), only(named("Images.attempt"))]) {
        expect(span.attributes.get("gradient.image.charged")).toBe("in_doubt")
        expect(span.status._tag).toBe("Ended")
      }
      expect(valueOf(metrics, "gradient.image.attempts", { "gradient.image.outcome": "Left" })).toEqual([1])
      expect(valueOf(metrics, "gen_ai.client.operation.duration", { "error.type": "Left" })).toEqual([0])
      expect(valueOf(metrics, "gradient.image.failures")).toEqual([])
    })
  )

  it.effect("a partial image in the failure of `generate` is not counted as a complete one", () =>
    Effect.gen(function* () {
      const { exit, metrics, named } = yield* observe(Images.generate({ prompt, n: 2 }), {
        answer: () => Wire.stream([completed, partial(0)])
      })
      expect(exit).toMatchObject({ cause: { reasons: [{ error: { reason: { images: [{}, {}] } } }] } })
      const { attributes } = only(named("Images.attempt"))
      expect([attributes.get("gradient.image.count"), attributes.get("gradient.image.bytes")]).toEqual([1, 40])
      expect(valueOf(metrics, "gradient.image.bytes")).toEqual([40])
    })
  )

  it.effect("a failure is on the spans that it ends: not on a call that succeeds after a retry", () =>
    Effect.gen(function* () {
      const { metrics, named } = yield* observe(generate, { answer: (number) => (number === 0 ? busy() : good()) })
      const [first, second] = named("Images.attempt").map(({ attributes }) => attributes)
      expect([first?.get("error.type"), first?.get("gradient.image.charged")]).toEqual(["RateLimitError", "no"])
      expect([second?.get("error.type"), second?.get("gradient.image.charged")]).toEqual([undefined, "yes"])
      const call = only(named("Images.generate")).attributes
      expect([call.get("error.type"), call.get("gradient.image.charged")]).toEqual([undefined, "yes"])
      expect(valueOf(metrics, "gradient.image.failures", { "error.type": "RateLimitError" })).toEqual([1])
      expect(valueOf(metrics, "gradient.image.attempts", { "gradient.image.outcome": "Completed" })).toEqual([1])
      expect(valueOf(metrics, "gradient.image.attempts", { "gradient.image.outcome": "Failed" })).toEqual([1])
    })
  )

  it.effect("the span of a call keeps the doubt of an earlier attempt", () =>
    Effect.gen(function* () {
      const answer = (number: number) => (number === 0 ? broken() : Response.json({ error: {} }, { status: 400 }))
      const call = Images.generate({ prompt }, { retry: RetryPolicy.eager })
      const { named } = yield* observe(Effect.all([call, Service.advance("1 minute")], { concurrency: 2 }), { answer })
      const attempts = named("Images.attempt").map(({ attributes }) => attributes.get("gradient.image.charged"))
      expect(attempts).toEqual(["in_doubt", "no"])
      const { attributes } = only(named("Images.generate"))
      expect([attributes.get("gradient.image.charged"), attributes.get("error.type")]).toEqual([
        "in_doubt",
        "BadRequestError"
      ])
    })
  )

  it.effect("a request that a transform sends again has a span of its own", () =>
    Effect.gen(function* () {
      const transformClient: GradientClient.Options["transformClient"] = (client) => ({
        execute: (request) => Effect.andThen(client.execute(request), client.execute(request))
      })
      const { named, spans } = yield* observe(generate, { client: { transformClient } })
      const attempts = named("Images.attempt")
      expect(attempts.map(({ attributes }) => attributes.get("attempt"))).toEqual([1, 2])
      expect(attempts.map(({ attributes }) => attributes.get("gradient.image.charged"))).toEqual(["in_doubt", "yes"])
      const parents = spans
        .filter(({ name }) => name === "POST")
        .map(({ parent }) => attempts.findIndex((span) => parent._tag === "Some" && span === parent.value))
      expect(parents).toEqual([0, 1])
    })
  )

  it.effect.each([
    ["http://user:secret@LocalHost:8080/v1?key=x", { "server.address": "localhost", "server.port": 8080 }],
    ["http://[::1]/v1", { "server.address": "::1", "server.port": 80 }]
  ] as const)("names the server of %s", ([baseUrl, server]) =>
    Effect.gen(function* () {
      const { named } = yield* observe(generate, { client: { baseUrl } })
      expect(Object.fromEntries(only(named("Images.attempt")).attributes)).toMatchObject(server)
    })
  )

  it.effect("counts durations, tokens, bytes and attempts by model and server", () =>
    Effect.gen(function* () {
      const slow = () => Effect.delay(Effect.sync(good), "4 seconds")
      const call = Effect.all([generate, Service.advance("4 seconds")], { concurrency: 2 })
      const { metrics } = yield* observe(call, { answer: slow })
      const labels = { "gen_ai.request.model": model, "server.address": "inference.do-ai.run", "server.port": "443" }
      expect(valueOf(metrics, "gen_ai.client.operation.duration", labels)).toEqual([4])
      expect(valueOf(metrics, "gen_ai.client.token.usage", { ...labels, "gen_ai.token.type": "input" })).toEqual([10])
      expect(valueOf(metrics, "gen_ai.client.token.usage", { ...labels, "gen_ai.token.type": "output" })).toEqual([
        1000
      ])
      expect(valueOf(metrics, "gradient.image.bytes", labels)).toEqual([100])
      expect(valueOf(metrics, "gradient.image.attempts", labels)).toEqual([1])
      expect(valueOf(metrics, "gradient.image.cost")).toEqual([])
    })
  )

  it.effect.each([
    [
      "tokens, if the reply counts them",
      { perImage: 0.25, perOutputToken: 0.001, perInputToken: 0.01 },
      good,
      "yes",
      1.1
    ],
    ["images, if it does not", { perImage: 0.25, perOutputToken: 0.001 }, () => good({}), "yes", 0.25],
    ["the most that it can, if it is in doubt", { perImage: () => 0.25 }, broken, "in_doubt", 0.25]
  ] as const)("counts the cost by %s", ([, price, answer, charged, cost]) =>
    Effect.gen(function* () {
      const options = { prices: { [model]: price } }
      const { metrics } = yield* observe(generate, { answer: () => answer(), options })
      expect(valueOf(metrics, "gradient.image.cost", { "gradient.image.charged": charged })).toEqual([cost])
    })
  )

  it.effect("an attempt that was not charged for, or whose model has no price, costs nothing", () =>
    Effect.gen(function* () {
      const uncharged = () => Response.json({}, { status: 400 })
      const first = yield* observe(generate, { answer: uncharged, options: { prices: { [model]: { perImage: 1 } } } })
      expect(valueOf(first.metrics, "gradient.image.cost")).toEqual([])
      const second = yield* observe(generate, { options: { prices: { another: { perImage: 1 } } } })
      expect(valueOf(second.metrics, "gradient.image.cost")).toEqual([])
    })
  )

  it.effect("a price that throws or is not a number does not fail the call", () =>
    Effect.gen(function* () {
      const thrown = () => {
        throw new Error("no price")
      }
      for (const perImage of [thrown, () => Number.NaN]) {
        const { exit } = yield* observe(generate, { options: { prices: { [model]: { perImage } } } })
        expect(exit._tag).toBe("Success")
      }
    })
  )

  it.effect("options that cannot be used fail when the layer is built", () =>
    Effect.gen(function* () {
      const service = Service.make(() => good())
      const bad = { prices: { a: { perImage: -1 }, b: { perImage: 1, perOutputToken: Number.NaN } } }
      const error = yield* Layer.build(ImagesTelemetry.layer(bad)).pipe(
        Effect.provide(service.layer),
        Effect.scoped,
        Effect.flip
      )
      expect(error.message).toContain("prices.a.perImage must be a number of at least 0 (got -1)")
      expect(error.message).toContain("prices.b.perOutputToken must be a number of at least 0 (got NaN)")
    })
  )

  describe("content", () => {
    /** An error reply whose message repeats the prompt and the key. */
    const echo = (status: number, headers: Record<string, string> = {}) =>
      Response.json({ error: { message: `refused: ${prompt} for ${Service.key}`, code: prompt } }, { status, headers })
    const error = { type: "error", error: { message: `refused: ${prompt} for ${Service.key}` } }
    const echoing = Wire.event(error)
    const retried = (number: number) => (number === 0 ? echo(429, { "retry-after": "0" }) : good())

    const calls = [
      ["a call", generate, () => good({ usage: Wire.usage, data: undefined })],
      [
        "a reply with a revised prompt",
        generate,
        () => Response.json({ data: [{ b64_json: Wire.base64(Wire.png()), revised_prompt: prompt }] })
      ],
      ["a stream", Stream.runDrain(generateStream), () => Wire.stream([partial(0), completed])],
      ["a failure", generate, () => echo(500)],
      ["a refusal", generate, () => echo(400)],
      ["a retry", generate, retried],
      [
        "a retry of a stream",
        Stream.runDrain(generateStream),
        (number: number) => (number === 0 ? retried(0) : Wire.stream([completed]))
      ],
      ["a failure within a stream", Stream.runDrain(generateStream), () => Wire.stream([partial(0), echoing])],
      ["a broken connection", generate, () => new Error(`broken: ${prompt}`)]
    ] as const

    it.effect.each(calls)("neither prompt nor key of %s is on a span or in a metric", ([, call, answer]) =>
      Effect.gen(function* () {
        const { metrics, spans } = yield* observe(call, { answer })
        const text = exported(spans, metrics)
        expect(spans.length).toBeGreaterThan(2)
        expect(text).not.toContain(prompt)
        expect(text).not.toContain(Service.key)
      })
    )

    it.effect("secrets of the base URL and of headers are not on a span", () =>
      Effect.gen(function* () {
        const client = {
          baseUrl: "https://user:hidden-1@a.example/v1?api_key=hidden-2&token=hidden-3",
          headers: { "x-team-token": "hidden-4" }
        }
        const { spans, metrics } = yield* observe(generate, { client, answer: () => echo(500) })
        expect(exported(spans, metrics)).toContain("a.example")
        expect(exported(spans, metrics)).not.toContain("hidden")
      })
    )

    it.effect.each(calls)("captureContent adds the prompt of %s, and never the key", ([, call, answer]) =>
      Effect.gen(function* () {
        const { metrics, named, spans } = yield* observe(call, { answer, options: { captureContent: true } })
        for (const span of named("Images.attempt")) {
          expect(span.attributes.get("gen_ai.input.messages")).toBe(
            JSON.stringify([{ role: "user", parts: [{ type: "text", content: prompt }] }])
          )
        }
        expect(exported(spans, metrics)).not.toContain(Service.key)
      })
    )
  })

  it.effect("a limit around it or within it is measured as time of the attempt, not of the request", () =>
    Effect.gen(function* () {
      const wait = () => Effect.sleep("3 seconds")
      const service = Service.make(() => Effect.delay(Effect.sync(good), "2 seconds"))
      const limit = Attempt.layer({ wait })
      const layers = [
        limit.pipe(Layer.provide(ImagesTelemetry.layer()), Layer.provide(service.layer)),
        ImagesTelemetry.layer().pipe(Layer.provide(limit), Layer.provide(service.layer))
      ]
      for (const layer of layers) {
        const fiber = yield* generate.pipe(
          Effect.provide(layer),
          Effect.andThen(Metric.snapshot),
          Effect.provideService(Metric.MetricRegistry, new Map()),
          Effect.forkChild
        )
        yield* Service.settle
        yield* Service.advance("3 seconds")
        yield* Service.advance("2 seconds")
        expect(valueOf(yield* Service.join(fiber), "gen_ai.client.operation.duration")).toEqual([2])
      }
    })
  )

  it.effect("a limit that refuses a request within it is an attempt that was not sent", () =>
    Effect.gen(function* () {
      const reason = new GradientError.RateLimitError({ reached: "NotSent", shouldRetry: false })
      const limit = Attempt.layer({ wait: () => Effect.fail(reason) })
      const layer = ImagesTelemetry.layer().pipe(Layer.provide(limit), Layer.provide(Service.make(() => good()).layer))
      const metrics = yield* Effect.flip(generate).pipe(
        Effect.provide(layer),
        Effect.andThen(Metric.snapshot),
        Effect.provideService(Metric.MetricRegistry, new Map())
      )
      expect(valueOf(metrics, "gradient.image.attempts", { "gradient.image.outcome": "NotSent" })).toEqual([1])
      expect(valueOf(metrics, "gradient.image.failures", { "gradient.image.charged": "no" })).toEqual([1])
      expect(valueOf(metrics, "gen_ai.client.operation.duration")).toEqual([])
    })
  )

  it.effect("the images of a stream are not kept for it", () =>
    Effect.gen(function* () {
      const outcomes: Array<Attempt.Outcome> = []
      const other = Attempt.layer({
        end: (_, outcome) => Effect.sync(() => void outcomes.push(outcome)),
        needsImages: false
      })
      const service = Service.make(() => Wire.stream([partial(0), completed]))
      const layer = ImagesTelemetry.layer().pipe(Layer.provide(other), Layer.provide(service.layer))
      yield* Stream.runDrain(generateStream).pipe(Effect.provide(layer))
      expect(outcomes).toMatchObject([{ _tag: "Completed", images: [], usage: { outputTokens: 1000 } }])
    })
  )

  it.effect("sets the number of generations in doubt and the age of the oldest, again and again", () =>
    Effect.gen(function* () {
      const oldest = DateTime.makeUnsafe(0)
      const answers: Array<Effect.Effect<ImagesTelemetry.Doubts, string>> = [
        Effect.succeed({ count: 2, oldest }),
        Effect.fail("the database is away"),
        Effect.succeed({ count: 0, oldest: undefined })
      ]
      const doubts = Effect.suspend(() => answers.shift() ?? Effect.never)
      const values = Effect.map(Metric.snapshot, (metrics) =>
        ["gradient.image.in_doubt", "gradient.image.in_doubt.age"].map((id) => {
          const { state } = only(metrics.filter((metric) => metric.id === id))
          return "value" in state ? state.value : undefined
        })
      )
      yield* Service.advance("10 seconds")
      yield* Layer.build(ImagesTelemetry.layerDoubts(doubts))
      yield* Service.settle
      expect(yield* values).toEqual([2, 10])
      yield* Service.advance("30 seconds")
      expect(yield* values).toEqual([2, 10])
      yield* Service.advance("30 seconds")
      expect(yield* values).toEqual([0, 0])
    }).pipe(Effect.provideService(Metric.MetricRegistry, new Map()))
  )
})
