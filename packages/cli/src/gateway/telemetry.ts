/**
 * Traces and metrics of the gateway. Loaded only if there is a collector, or if metrics are served.
 */
import * as ImagesTelemetry from "@effect-gradient/core/ImagesTelemetry"
import { Attempts } from "@effect-gradient/gateway"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import * as PrometheusMetrics from "effect/observability/PrometheusMetrics"

/** The attempts, of which each is observed. */
export const observed = <E, R>(attempts: Layer.Layer<Attempts.Attempts, E, R>) =>
  Layer.effect(
    Attempts.Attempts,
    Effect.gen(function* () {
      const { join, run } = yield* Attempts.Attempts
      const observe = yield* ImagesTelemetry.make()
      return Attempts.Attempts.of({ join, run: (...request) => Effect.updateContext(run(...request), observe) })
    })
  ).pipe(Layer.provide(attempts))

/** `/metrics`, without a key: whoever runs the gateway keeps the path internal. */
export const metrics = PrometheusMetrics.layerHttp()
