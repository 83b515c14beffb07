/**
 * Runs your own code, such as limits, budgets, telemetry or a durable record, around each request that can be charged
 * for. Each such request is an attempt. A call usually has one attempt, and several if it is retried.
 *
 * An `Entry` is a set of functions, which run at these moments of each attempt:
 *
 * 1. The `wait` of every entry runs, the outermost layer's first. It may take long, because no timeout has started yet.
 * 2. The `begin` of every entry runs in the same order, directly before the request is sent. It must not wait for a
 *    limit. If a `wait` or a `begin` fails, the request is not sent.
 * 3. `event` runs for each event of a stream, unless a gateway passes the stream on without decoding it.
 * 4. `end` runs once with the `Outcome`, the innermost layer's first, for each entry whose `wait` succeeded. It cannot
 *    be interrupted.
 *
 * `wait` and `begin` are separate so that a durable record is written after all waits. If the record were written
 * before a wait, and the process were killed during the wait, the record could not show whether the request was sent.
 *
 * @example
 * ```ts
 * import { Attempt } from "@effect-gradient/core"
 * import { NodeImages } from "@effect-gradient/node"
 * import { Effect, Layer, Metric } from "effect"
 *
 * const attempts = Metric.counter("attempts", { incremental: true })
 *
 * // Counts the requests that were sent, by outcome.
 * const counted = Attempt.layer({
 *   end: (_attempt, outcome) =>
 *     outcome._tag === "NotSent"
 *       ? Effect.void
 *       : Metric.update(Metric.withAttributes(attempts, { outcome: outcome._tag }), 1)
 * })
 *
 * const layer = counted.pipe(Layer.provide(NodeImages.layerFromConfig()))
 * ```
 */
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import type * as Scope from "effect/Scope"
import * as Stream from "effect/Stream"
import { Images } from "./Images.ts"
import { Around, type Entry } from "./internal/attempt/attemptModels.ts"

export { Around, type Attempt, type Call, type Entry, Outcome } from "./internal/attempt/attemptModels.ts"
export { open, OpenAttempt } from "./internal/attempt/OpenAttempt.ts"

/**
 * Adds an entry to all calls through this layer. Several such layers can be stacked. The outermost one is the layer
 * whose `Images` your program calls.
 *
 * @category layers
 * @since 0.1.0
 */
export const layer = (entry: Entry): Layer.Layer<Images, never, Images> => layerEffect(Effect.succeed(entry))

/**
 * Adds an entry to all calls through this layer, like `layer`. An Effect makes the entry when the layer is built.
 *
 * @category layers
 * @since 0.1.0
 */
export const layerEffect = <E, R>(
  entry: Effect.Effect<Entry, E, R>
): Layer.Layer<Images, E, Images | Exclude<R, Scope.Scope>> =>
  Layer.effect(
    Images,
    Effect.gen(function* () {
      const images = yield* Images
      const made = yield* entry
      const add = (entries: ReadonlyArray<Entry>) => [...entries, made]
      return Images.of({
        generate: (params, options) => Effect.updateService(images.generate(params, options), Around, add),
        generateStream: (params, options) => Stream.updateService(images.generateStream(params, options), Around, add)
      })
    })
  )
