/**
 * Removes images and rows in the background when their generations have not changed for longer than the options allow.
 */
import type { GradientError } from "@effect-gradient/core"
import type * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import type { PruneOptions, Removed } from "./administration.ts"

/**
 * How long the images of generations that are done, and the rows of expired and free generations, are kept after the
 * last change of the generation. Without `images`, images are kept forever; without `rows`, rows are.
 *
 * @category models
 * @since 0.1.0
 */
export interface Retention {
  readonly images?: Duration.Input | undefined
  readonly rows?: Duration.Input | undefined
}

type Prune = (options: PruneOptions) => Effect.Effect<Removed, GradientError.GradientError>

/** Prunes once an hour while the scope is open. A failure is only logged, because the next attempt may succeed. */
export const keepPruning = (prune: Prune, { images, rows }: Retention) => {
  const once = Effect.gen(function* () {
    if (images !== undefined) yield* prune({ olderThan: images, status: "done" })
    if (rows !== undefined) {
      yield* prune({ olderThan: rows, status: "expired" })
      yield* prune({ olderThan: rows, status: "free" })
    }
  }).pipe(Effect.catch(({ message }) => Effect.logWarning(`The removal of old generations failed: ${message}`)))
  return Effect.forkScoped(Effect.forever(Effect.andThen(once, Effect.sleep("1 hour"))))
}
