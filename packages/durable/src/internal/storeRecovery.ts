/**
 * Completes a row that is not done although a store has its images, for example because the process was killed before
 * it wrote the outcome.
 */
import type { GradientError } from "@effect-gradient/core"
import * as DateTime from "effect/DateTime"
import * as Effect from "effect/Effect"
import * as Option from "effect/Option"
import * as Result from "effect/Result"
import type { Row } from "./stateMachine.ts"
import { type Attempts, completing, type Kept, LostFile, type Manifest } from "./manifest.ts"
import * as Reasons from "./failureReasons.ts"
import type { Parts } from "./AttemptRecord.ts"
import type { StoreFailure } from "./storeModels.ts"

/** The attempt of a row, in the form that is needed to write its manifest. */
export const keptOf = ({ attempt, digest, id, key, labels, model, n, salt, token }: Row): Kept => ({
  id,
  attempt,
  token,
  asked: { key, salt, digest, labels, model, n },
  params: undefined
})

/**
 * Finds the manifest of this generation in this store. If there is none, but the store has all images of the last
 * attempt, the manifest is written now.
 */
const manifestIn = Effect.fnUntraced(function* (
  store: Attempts,
  row: Row
): Effect.fn.Return<Option.Option<Manifest>, StoreFailure> {
  const [manifest] = yield* store.find(row.id)
  if (manifest !== undefined) return Option.some(manifest)
  const files = yield* store.files(row.id, `${row.attempt}-${row.token}`, "complete")
  if (files.length < row.n) return Option.none()
  return Option.some(yield* store.adopt(keptOf(row), files, DateTime.makeUnsafe(row.sentAt)))
})

export const storesOf = ({ spare, store }: Parts) => (spare === undefined ? [store] : [store, spare])

/**
 * Returns what the first store has, else what the spare store has, even if the first store cannot be read. Fails if
 * neither has it and a store cannot be read, because that store may have it.
 */
export const findInStores = Effect.fnUntraced(function* <A>(
  parts: Parts,
  find: (store: Attempts) => Effect.Effect<Option.Option<A>, StoreFailure>
): Effect.fn.Return<Option.Option<A>, StoreFailure> {
  const failures: Array<StoreFailure> = []
  for (const store of storesOf(parts)) {
    const found = yield* Effect.result(find(store))
    if (Result.isFailure(found)) failures.push(found.failure)
    else if (Option.isSome(found.success)) return found.success
  }
  // A store that cannot be reached may still have the images, so its failure counts before that of one that lost them.
  const failure = failures.find((one) => !(one instanceof LostFile)) ?? failures[0]
  return failure === undefined ? Option.none() : yield* failure
})

/**
 * Completes a row that is not done if a store has a manifest of the generation or all images of the row's attempt.
 * Returns whether this call or another process has completed it: `false` for a row that was given as `done`.
 */
export const recover = (parts: Parts, row: Row): Effect.Effect<boolean, GradientError.GradientErrorReason> =>
  Effect.gen(function* () {
    if (row.state === "done") return false
    const manifest = yield* Effect.mapError(
      findInStores(parts, (store) => manifestIn(store, row)),
      Reasons.storeBefore
    )
    if (Option.isNone(manifest)) return false
    const moved = yield* Effect.mapError(parts.journal.move(row.id, completing(manifest.value)), Reasons.journalBefore)
    if (Option.isSome(moved)) return true
    // `None` may mean that another process has completed the row.
    const found = yield* Effect.mapError(parts.journal.find(row.id), Reasons.journalBefore)
    return Option.isSome(found) && found.value.row.state === "done"
  })
