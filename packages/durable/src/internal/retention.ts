/**
 * Removes in the background what is older than it is to be kept.
 */
import type { GradientError } from "@effect-gradient/core"
import type * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import type { PruneOptions, Removed } from "./administration.ts"

/**
 * How long what is kept. Nothing is removed if a time is absent.
 *
 * @category models
 * @since 0.1.0
 */
export interface Retention {
  readonly images?: Duration.Input | undefined
  readonly rows?: Duration.Input | undefined
}

type Prune = (options: PruneOptions) => Effect.Effect<Removed, GradientError.GradientError>

/** Looks once an hour while the scope is open. A failure is logged: the next look may succeed. */
export const keepPruning = (prune: Prune, { images, rows }: Retention) => {
  const once = Effect.gen(function* () {
    if (images !== undefined) yield* prune({ olderThan: images, status: "done" })
    if (rows !== undefined) {
      yield* prune({ olderThan: rows, status: "expired" })
      yield* prune({ olderThan: rows, status: "free" })
    }
  }).pipe(Effect.catch(({ message }) => Effect.logWarning(`Old generations were not removed: ${message}`)))
  return Effect.forkScoped(Effect.forever(Effect.andThen(once, Effect.sleep("1 hour"))))
}
