import { Attempt } from "@effect-gradient/core"
import { Effect, Metric } from "effect"

const sent = Metric.counter("gradient.requests", { incremental: true })

/** Counts attempts by their outcome: `Completed`, `Failed` or `Left`. Those that are proven unsent are not counted. */
export const counted = Attempt.layer({
  end: (_attempt, outcome) =>
    outcome._tag === "NotSent" ? Effect.void : Metric.update(Metric.withAttributes(sent, { outcome: outcome._tag }), 1)
})
