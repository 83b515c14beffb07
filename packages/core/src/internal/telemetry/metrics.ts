/**
 * The metrics of attempts, and of generations in doubt. If OpenTelemetry's conventions for generative AI define a
 * metric, its name is taken from there. The names of all other metrics have the prefix `gradient.image.`.
 */
import * as Effect from "effect/Effect"
import * as Metric from "effect/Metric"
import type { Attempt } from "../attempt/attemptModels.ts"
import type { AttemptResult } from "./AttemptMeter.ts"
import { operation, provider, shownModel } from "./spans.ts"

const powers = (base: number, first: number, count: number) =>
  Array.from({ length: count }, (_, index) => base ** index * first)

/**
 * The bounds of the histogram buckets, in seconds. Those of OpenTelemetry's conventions end at 82 s, but a high-quality
 * image takes 2 to 4 minutes.
 */
const secondsBuckets = powers(2, 0.01, 17)

const duration = Metric.histogram("gen_ai.client.operation.duration", {
  description: "The time from sending a request to its outcome",
  boundaries: secondsBuckets,
  attributes: { unit: "s" }
})

const timeToFirstImage = Metric.histogram("gen_ai.client.operation.time_to_first_chunk", {
  description: "The time from sending a request to the first image of its stream, partial or complete",
  boundaries: secondsBuckets,
  attributes: { unit: "s" }
})

const tokens = Metric.histogram("gen_ai.client.token.usage", {
  description: "The input tokens or the output tokens of a request",
  boundaries: powers(4, 1, 14),
  attributes: { unit: "{token}" }
})

const bytes = Metric.counter("gradient.image.bytes", {
  description: "The total bytes of the complete images that were decoded",
  incremental: true,
  attributes: { unit: "By" }
})

const attempts = Metric.counter("gradient.image.attempts", {
  description: "Attempts by outcome",
  incremental: true,
  attributes: { unit: "{attempt}" }
})

const failures = Metric.counter("gradient.image.failures", {
  description: "Failed attempts by reason",
  incremental: true,
  attributes: { unit: "{attempt}" }
})

const cost = Metric.counter("gradient.image.cost", {
  description:
    "The cost of attempts by the program's prices; for an attempt that may have been charged for, its highest possible cost",
  incremental: true
})

export const doubts = Metric.gauge("gradient.image.in_doubt", {
  description: "Generations in doubt",
  attributes: { unit: "{generation}" }
})

export const oldestDoubt = Metric.gauge("gradient.image.in_doubt.age", {
  description: "The time since the oldest generation in doubt was sent; 0 if no generation is in doubt",
  attributes: { unit: "s" }
})

type Labels = Readonly<Record<string, string>>

const labelsOf = ({ params, server }: Attempt): Labels => ({
  "gen_ai.operation.name": operation,
  "gen_ai.provider.name": provider,
  "gen_ai.request.model": shownModel(params.model),
  ...(server === undefined ? {} : { "server.address": server.address, "server.port": String(server.port) })
})

/** Updates a metric. If the value is undefined, nothing is recorded. */
const record = (metric: Metric.Metric<number, unknown>, value: number | undefined, labels: Labels) =>
  value === undefined ? Effect.void : Metric.update(Metric.withAttributes(metric, labels), value)

export const recordFirstImage = (attempt: Attempt, seconds: number): Effect.Effect<void> =>
  record(timeToFirstImage, seconds, labelsOf(attempt))

export const recordResult = (attempt: Attempt, result: AttemptResult): Effect.Effect<void> => {
  const { charged, errorType, outcome, usage } = result
  const labels = labelsOf(attempt)
  const error = errorType === undefined ? {} : { "error.type": errorType }
  const isFailure = errorType !== undefined && outcome !== "Left"
  return Effect.all(
    [
      record(duration, result.seconds, { ...labels, ...error }),
      record(tokens, usage?.inputTokens, { ...labels, "gen_ai.token.type": "input" }),
      record(tokens, usage?.outputTokens, { ...labels, "gen_ai.token.type": "output" }),
      record(bytes, result.bytes, labels),
      record(attempts, 1, { ...labels, "gradient.image.outcome": outcome }),
      record(failures, isFailure ? 1 : undefined, { ...labels, ...error, "gradient.image.charged": charged }),
      record(cost, result.cost, { ...labels, "gradient.image.charged": charged })
    ],
    { discard: true }
  )
}
