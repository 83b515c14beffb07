/** Traces and metrics of the gateway. This module is loaded only if a collector is configured or metrics are served. */
import * as ImagesTelemetry from "@effect-gradient/core/ImagesTelemetry"
import { Attempts } from "@effect-gradient/gateway"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import * as PrometheusMetrics from "effect/observability/PrometheusMetrics"

/** Adds telemetry to each attempt of the gateway: attributes to the attempt's span, and metrics. */
export const observed = <E, R>(attempts: Layer.Layer<Attempts.Attempts, E, R>) =>
  Layer.effect(
    Attempts.Attempts,
    Effect.gen(function* () {
      const { join, run } = yield* Attempts.Attempts
      const observe = yield* ImagesTelemetry.make()
      return Attempts.Attempts.of({ join, run: (...request) => Effect.updateContext(run(...request), observe) })
    })
  ).pipe(Layer.provide(attempts))

/** Serves `/metrics` without asking for a key. Whoever runs the gateway must keep the path internal. */
export const metrics = PrometheusMetrics.layerHttp()
