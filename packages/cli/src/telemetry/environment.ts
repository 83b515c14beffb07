/**
 * Traces and metrics, if `OTEL_EXPORTER_OTLP_ENDPOINT` is set. This module loads their code on demand, so that a
 * command without a collector does not wait for it.
 */
import type { Images } from "@effect-gradient/core"
import * as Config from "effect/Config"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"

const endpoint = Config.String("OTEL_EXPORTER_OTLP_ENDPOINT").pipe(Config.withDefault(""))

/** Whether `OTEL_EXPORTER_OTLP_ENDPOINT` is set. If it is empty, it counts as not set, as OpenTelemetry specifies. */
export const hasCollector: Effect.Effect<boolean, Config.ConfigError> = Effect.map(
  endpoint,
  (address) => address.trim() !== ""
)

/**
 * Runs an effect, and exports its spans and metrics if `OTEL_EXPORTER_OTLP_ENDPOINT` is set. The last ones are sent
 * when the effect ends.
 */
export const exporting = Effect.fnUntraced(function* <A, E, R>(effect: Effect.Effect<A, E, R>) {
  if (!(yield* hasCollector)) return yield* effect
  const { layer } = yield* Effect.promise(() => import("./collector.ts"))
  return yield* Effect.provide(effect, layer)
})

/** Adds telemetry to the `Images` of this layer: attributes to the spans of its calls and attempts, and metrics. */
export const observed = <A, E, R>(images: Layer.Layer<A | Images.Images, E, R>) =>
  Layer.unwrap(
    Effect.map(
      Effect.promise(() => import("@effect-gradient/core/ImagesTelemetry")),
      (ImagesTelemetry) => ImagesTelemetry.layer()
    )
  ).pipe(Layer.provideMerge(images))
