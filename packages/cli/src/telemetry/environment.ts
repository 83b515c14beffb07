/**
 * Traces and metrics, if the environment names a collector. This module loads the rest on demand: a command without these
 * variables must not wait for it.
 */
import type { Images } from "@effect-gradient/core"
import * as Config from "effect/Config"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"

const endpoint = Config.String("OTEL_EXPORTER_OTLP_ENDPOINT").pipe(Config.withDefault(""))

/** Whether a collector is configured. An empty variable counts as absent, as OpenTelemetry specifies. */
export const hasCollector: Effect.Effect<boolean, Config.ConfigError> = Effect.map(
  endpoint,
  (address) => address.trim() !== ""
)

/** Sends the spans and metrics of an effect to the collector, the last ones when it ends. */
export const exporting = Effect.fnUntraced(function* <A, E, R>(effect: Effect.Effect<A, E, R>) {
  if (!(yield* hasCollector)) return yield* effect
  const { layer } = yield* Effect.promise(() => import("./collector.ts"))
  return yield* Effect.provide(effect, layer)
})

/** The same layer, with `Images` whose attempts are observed. */
export const observed = <A, E, R>(images: Layer.Layer<A | Images.Images, E, R>) =>
  Layer.unwrap(
    Effect.map(
      Effect.promise(() => import("@effect-gradient/core/ImagesTelemetry")),
      (ImagesTelemetry) => ImagesTelemetry.layer()
    )
  ).pipe(Layer.provideMerge(images))
