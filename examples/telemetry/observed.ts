import * as ImagesTelemetry from "@effect-gradient/core/ImagesTelemetry"
import { NodeImages } from "@effect-gradient/node"
import { Layer } from "effect"
import { FetchHttpClient } from "effect/http"
import { Otlp } from "effect/observability"

/** Sends spans, metrics and logs to an OpenTelemetry collector, such as one on http://localhost:4318. */
const collector = (baseUrl: string) =>
  Otlp.layerJson({ baseUrl, resource: { serviceName: "posters" } }).pipe(Layer.provide(FetchHttpClient.layer))

/** `Images` with telemetry: spans, metrics and logs are sent to the collector at this URL. */
export const observed = (baseUrl: string) =>
  ImagesTelemetry.layer().pipe(Layer.provide(NodeImages.layerFromConfig()), Layer.provideMerge(collector(baseUrl)))
