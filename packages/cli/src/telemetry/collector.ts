/**
 * Sends traces and metrics to the collector at `OTEL_EXPORTER_OTLP_ENDPOINT`. Effect's exporters also read other
 * environment variables of OpenTelemetry. Logs are not sent: they can contain texts of the service, which can repeat a
 * prompt.
 */
import * as Cause from "effect/Cause"
import * as Config from "effect/Config"
import * as ConfigProvider from "effect/ConfigProvider"
import * as Effect from "effect/Effect"
import * as FetchHttpClient from "effect/http/FetchHttpClient"
import * as Layer from "effect/Layer"
import * as OtlpMetrics from "effect/observability/OtlpMetrics"
import * as OtlpSerialization from "effect/observability/OtlpSerialization"
import * as OtlpTracer from "effect/observability/OtlpTracer"
import { env } from "node:process"

/** The environment without its empty variables. OpenTelemetry specifies that an empty variable counts as not set. */
const variables = Object.fromEntries(Object.entries(env).filter(([, value]) => value?.trim() !== ""))

/** OpenTelemetry prefers `OTEL_SERVICE_NAME` to the attribute, so the default must not be set beside the attribute. */
const isNamed = /(?:^|,)\s*service\.name\s*=/.test(variables["OTEL_RESOURCE_ATTRIBUTES"] ?? "")

/** Defaults for variables that are not set. Without them Effect's exporters send nothing, or can fail. */
const defaults = {
  OTEL_TRACES_EXPORTER: "otlp",
  OTEL_METRICS_EXPORTER: "otlp",
  ...(isNamed ? {} : { OTEL_SERVICE_NAME: "gradient-images" })
}

const exporters = Layer.mergeAll(OtlpTracer.layerFromConfig(), OtlpMetrics.layerFromConfig()).pipe(
  Layer.provide([
    OtlpSerialization.layerJson,
    FetchHttpClient.layer,
    ConfigProvider.layer(ConfigProvider.fromEnv({ env: { ...defaults, ...variables } }))
  ])
)

/**
 * The exporters. An environment variable whose value cannot be used is a failure and not a defect, because the user can
 * correct it.
 */
export const layer = Layer.catchCause(exporters, (cause) => {
  const defect = Cause.squash(cause)
  return Layer.effectContext(defect instanceof Config.ConfigError ? Effect.fail(defect) : Effect.failCause(cause))
})
