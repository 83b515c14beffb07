/**
 * Traces and metrics of requests, by OpenTelemetry's conventions for generative AI. The spans `Images.generate`,
 * `Images.generateStream` and `Images.attempt` get attributes, and an event for each partial image. Effect's metrics
 * get, among others, durations, tokens, bytes, failures and, if prices are set, costs. To export them, use an exporter
 * of `effect/observability`, such as `Otlp`, or, for metrics only, `PrometheusMetrics`.
 *
 * This module is not part of the index, so that a program without telemetry does not load it.
 *
 * The key is in no span and in no metric. The prompt is in no metric, and in spans only if `captureContent` is set. The
 * service's error messages can repeat the prompt. So, unless `captureContent` is set, these spans have only the reason
 * of an error, without the service's message, and they have no log lines. The log itself has the whole message, and so
 * has a span of your own around the call.
 *
 * @example
 * ```ts
 * import * as ImagesTelemetry from "@effect-gradient/core/ImagesTelemetry"
 * import { NodeImages } from "@effect-gradient/node"
 * import { Layer } from "effect"
 * import { FetchHttpClient } from "effect/http"
 * import { Otlp } from "effect/observability"
 *
 * const exporter = Otlp.layerJson({ baseUrl: "http://localhost:4318", resource: { serviceName: "posters" } }).pipe(
 *   Layer.provide(FetchHttpClient.layer)
 * )
 *
 * const layer = ImagesTelemetry.layer().pipe(Layer.provide(NodeImages.layerFromConfig()), Layer.provideMerge(exporter))
 * ```
 */
import * as Clock from "effect/Clock"
import * as Context from "effect/Context"
import * as DateTime from "effect/DateTime"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import * as Metric from "effect/Metric"
import * as Predicate from "effect/Predicate"
import * as Result from "effect/Result"
import * as Stream from "effect/Stream"
import * as Tracer from "effect/Tracer"
import type * as Attempt from "./Attempt.ts"
import * as GradientError from "./GradientError.ts"
import { Images } from "./Images.ts"
import { Around } from "./internal/attempt/attemptModels.ts"
import { kindOf } from "./internal/issue.ts"
import { checkedPrices, type Prices } from "./internal/prices.ts"
import { type Checked, issuesOf, refuse } from "./internal/request/checked.ts"
import { invalidParams } from "./internal/request/invalidParams.ts"
import { AttemptMeter } from "./internal/telemetry/AttemptMeter.ts"
import * as Metrics from "./internal/telemetry/metrics.ts"
import * as Spans from "./internal/telemetry/spans.ts"

/**
 * Options of the layer.
 *
 * @category models
 * @since 0.1.0
 */
export interface Options {
  /**
   * The price of each model, as for `ImagesBudget`, in any currency. If set, metrics have the cost of the attempts of
   * these models. Default: no cost is measured.
   */
  readonly prices?: Prices | undefined
  /** Whether spans contain the prompt, the service's error messages, and log lines. Default: false. */
  readonly captureContent?: boolean | undefined
}

interface Settings {
  readonly prices: Prices | undefined
  readonly capturesContent: boolean
}

const captureOf = ({ captureContent = false }: Options): Checked<boolean> =>
  Predicate.isBoolean(captureContent)
    ? Result.succeed(captureContent)
    : refuse("captureContent", "true or false", kindOf(captureContent))

const checked = (options: Options): Effect.Effect<Settings, GradientError.GradientError> => {
  const parts = {
    prices: options.prices === undefined ? Result.succeed(undefined) : checkedPrices("prices", options.prices),
    capturesContent: captureOf(options)
  }
  const all = Result.all(parts)
  return Result.isSuccess(all) ? Effect.succeed(all.success) : GradientError.fromReason(invalidParams(issuesOf(parts)))
}

/** Logs a failure of telemetry, for example if the function of a price throws, so that it does not fail the attempt. */
const safely = (effect: Effect.Effect<void>): Effect.Effect<void> =>
  Effect.catchCause(effect, (cause) => Effect.logWarning("The telemetry of an attempt is incomplete", cause))

const makeEntry = ({ capturesContent, prices }: Settings): Attempt.Entry => {
  const meters = new WeakMap<Attempt.Attempt, AttemptMeter>()
  const meterOf = (attempt: Attempt.Attempt) => {
    const meter = meters.get(attempt) ?? new AttemptMeter(attempt)
    meters.set(attempt, meter)
    return meter
  }

  const wait = (attempt: Attempt.Attempt) =>
    Effect.map(Spans.currentSpans, (spans) => {
      for (const span of spans) Spans.describeRequest(span, attempt, capturesContent)
    })

  const begin = (attempt: Attempt.Attempt) => Effect.map(Clock.currentTimeMillis, (now) => meterOf(attempt).sent(now))

  const event: Attempt.Entry["event"] = Effect.fnUntraced(function* (attempt, arrived) {
    const meter = meterOf(attempt)
    meter.add(arrived)
    const seconds = meter.secondsAt(yield* Clock.currentTimeMillis) ?? 0
    if (meter.isFirst) yield* Metrics.recordFirstImage(attempt, seconds)
    if (arrived._tag === "Completed") return
    const now = yield* Clock.currentTimeNanos
    for (const span of yield* Spans.currentSpans) Spans.addPartialImage(span, now, arrived, seconds)
  })

  const end = Effect.fnUntraced(function* (attempt: Attempt.Attempt, outcome: Attempt.Outcome) {
    const result = meterOf(attempt).resultOf(outcome, yield* Clock.currentTimeMillis, prices)
    for (const span of yield* Spans.currentSpans) Spans.describeResult(span, result)
    yield* Metrics.recordResult(attempt, result)
  })

  return {
    wait: (attempt) => safely(wait(attempt)),
    begin: (attempt) => safely(begin(attempt)),
    event: (attempt, arrived) => safely(event(attempt, arrived)),
    end: (attempt, outcome) => safely(end(attempt, outcome)),
    needsImages: false
  }
}

/**
 * Makes a function that adds telemetry to the context of a call. `layer` applies it to calls of `Images`. For code that
 * calls `Attempt.open` itself, such as the gateway's `Attempts`, apply it with `Effect.updateContext`.
 *
 * @category constructors
 * @since 0.1.0
 */
export const make = Effect.fnUntraced(function* (
  options: Options = {}
): Effect.fn.Return<<R>(context: Context.Context<R>) => Context.Context<R>, GradientError.GradientError> {
  const settings = yield* checked(options)
  const entry = makeEntry(settings)
  return (context) =>
    Context.add(context, Around, [...Context.get(context, Around), entry]).pipe(
      Context.add(Tracer.Tracer, Spans.observing(Context.get(context, Tracer.Tracer), settings.capturesContent))
    )
})

/**
 * Adds traces and metrics to all calls through this layer. Fails with `InvalidParamsError` if an option cannot be used.
 * Provide `ImagesLimit` and `ImagesBudget` to this layer, so that it also counts the requests that they refuse.
 *
 * @category layers
 * @since 0.1.0
 */
export const layer = (options: Options = {}): Layer.Layer<Images, GradientError.GradientError, Images> =>
  Layer.effect(
    Images,
    Effect.gen(function* () {
      const images = yield* Images
      const observe = yield* make(options)
      return Images.of({
        generate: (params, call) => Effect.updateContext(images.generate(params, call), observe),
        generateStream: (params, call) => Stream.updateContext(images.generateStream(params, call), observe)
      })
    })
  )

/**
 * How many generations are in doubt, as `DurableImages.doubts` of `@effect-gradient/durable` returns it.
 *
 * @category models
 * @since 0.1.0
 */
export interface Doubts {
  readonly count: number
  /** When the request of the oldest of these generations was sent, or was to be sent. */
  readonly oldest: DateTime.DateTime | undefined
}

/**
 * Sets the metrics of generations in doubt when the layer is built, and then every 30 seconds. If `doubts` fails, the
 * failure is logged, and the metrics keep their values.
 *
 * @category layers
 * @since 0.1.0
 */
export const layerDoubts = <E, R>(doubts: Effect.Effect<Doubts, E, R>): Layer.Layer<never, never, R> => {
  const observe = Effect.gen(function* () {
    const { count, oldest } = yield* doubts
    const now = yield* Clock.currentTimeMillis
    yield* Metric.update(Metrics.doubts, count)
    yield* Metric.update(Metrics.oldestDoubt, oldest === undefined ? 0 : (now - DateTime.toEpochMillis(oldest)) / 1000)
  }).pipe(Effect.catch((error) => Effect.logWarning("The generations in doubt cannot be counted", error)))
  return Layer.effectDiscard(Effect.forkScoped(Effect.forever(Effect.andThen(observe, Effect.sleep("30 seconds")))))
}
