/**
 * The functions with which a person lists generations, settles those in doubt, removes generations, and restores a
 * journal.
 */
import { GradientError } from "@effect-gradient/core"
import * as Arr from "effect/Array"
import * as DateTime from "effect/DateTime"
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as Option from "effect/Option"
import * as Stream from "effect/Stream"
import * as Generation from "../Generation.ts"
import type { Filter, Found, JournalFailure } from "./journalModels.ts"
import { Move, resting, type Row } from "./stateMachine.ts"
import { completing } from "./manifest.ts"
import * as Reasons from "./failureReasons.ts"
import { findInStores, keptOf, recover, storesOf } from "./storeRecovery.ts"
import type { Parts } from "./AttemptRecord.ts"
import type { StoreFailure } from "./storeModels.ts"

/**
 * Options that select the generations to list.
 *
 * @category models
 * @since 0.1.0
 */
export interface ListOptions {
  readonly status?: Generation.Status | undefined
  /** Only generations whose key begins with this text. */
  readonly prefix?: string | undefined
  /** Only generations that were created before this time. */
  readonly before?: DateTime.DateTime | undefined
  /** The maximum number of generations. */
  readonly limit?: number | undefined
}

/**
 * A decision about an attempt that is in doubt or abandoned.
 *
 * @category models
 * @since 0.1.0
 */
export interface Resolution {
  /**
   * The number of the attempt that the decision is about. If another attempt of the generation has begun in the
   * meantime, `resolve` fails with `ConflictError` and changes nothing.
   */
  readonly attempt: number
  readonly as: "repeat" | "abandon" | "accept"
}

/**
 * Options that select the generations to prune.
 *
 * @category models
 * @since 0.1.0
 */
export interface PruneOptions {
  /** Only generations that have not changed for this long. */
  readonly olderThan: Duration.Input
  /**
   * `done`: the images of generations that are done are removed, and their rows are kept. Another status: the rows of
   * generations with this status and any images of them are removed, and the next call with such a key sends a new
   * request. Default: `done`.
   */
  readonly status?: "done" | "expired" | "abandoned" | "free" | undefined
}

/**
 * How much `erase`, `forget` or `prune` removed.
 *
 * @category models
 * @since 0.1.0
 */
export interface Removed {
  /** The number of generations whose content or row was removed. */
  readonly generations: number
  /** The sum of the `images` of these generations. The images of `extra` attempts are removed too, but not counted. */
  readonly images: number
}

const pageSize = 500

/**
 * Selects the states of rows that can have this status. A generation in doubt can have any state except the resting
 * ones: it can be `doubt`, `sending` with a permission that has lapsed, or a state that this version does not know.
 */
const filterOf = (status: Generation.Status | undefined): Pick<Filter, "states" | "notStates"> => {
  if (status === undefined) return {}
  return status === "in-doubt" ? { notStates: resting } : { states: [status] }
}

const fail = (reason: GradientError.GradientErrorReason) => Effect.fail(GradientError.fromReason(reason))
const ofJournal = <A>(effect: Effect.Effect<A, JournalFailure>) =>
  Effect.mapError(effect, (failure) => GradientError.fromReason(Reasons.journalBefore(failure)))
const ofStore = <A>(effect: Effect.Effect<A, StoreFailure>) =>
  Effect.mapError(effect, (failure) => GradientError.fromReason(Reasons.storeBefore(failure)))

/** Reads rows page by page. Each page begins after the last row of the previous page. */
const rowsOf = ({ journal }: Parts, filter: Omit<Filter, "limit" | "after">) =>
  Stream.paginate<Filter["after"], Found, GradientError.GradientError>(undefined, (after) =>
    Effect.map(ofJournal(journal.list({ ...filter, after, limit: pageSize })), (page) => {
      const last = page.length < pageSize ? Option.none() : Arr.last(page)
      return [page, Option.map(last, ({ row }) => row)] as const
    })
  )

export const makeAdministration = (parts: Parts) => {
  const { identity, journal } = parts
  const find = (key: string) => Effect.flatMap(identity.idOf(key), (id) => ofJournal(journal.find(id)))
  const known = (key: string) =>
    Effect.flatMap(
      find(key),
      Option.match({
        onNone: () => fail(Reasons.conflict("the journal has no generation of this key")),
        onSome: Effect.succeed
      })
    )

  const list = ({ before, limit, prefix, status }: ListOptions = {}) => {
    const createdBefore = before && DateTime.toEpochMillis(before)
    const found = rowsOf(parts, { ...filterOf(status), prefix, createdBefore }).pipe(
      Stream.map(Generation.fromRow),
      Stream.filter((generation) => status === undefined || generation.status === status)
    )
    return limit === undefined ? found : Stream.take(found, limit)
  }

  const changed = (key: string, moved: Option.Option<Row>, refusal: string) =>
    Option.isSome(moved)
      ? Effect.succeed(Generation.fromRow({ row: moved.value, isLapsed: false }))
      : Effect.flatMap(known(key), (found) =>
          fail(
            Reasons.conflict(
              `${refusal}: the generation is ${Generation.statusOf(found)}, and its last attempt is ${found.row.attempt}`
            )
          )
        )

  /** Writes a manifest of the images that the store has of the attempt in this row, and completes the row with it. */
  const accept = Effect.fnUntraced(function* (row: Row) {
    const manifest = yield* ofStore(
      findInStores(parts, (store) =>
        Effect.flatMap(store.files(row.id, `${row.attempt}-${row.token}`, "any"), (files) =>
          files.length === 0
            ? Effect.succeed(Option.none())
            : Effect.asSome(store.adopt(keptOf(row), files, DateTime.makeUnsafe(row.sentAt)))
        )
      )
    )
    return Option.isSome(manifest)
      ? yield* ofJournal(journal.move(row.id, completing(manifest.value)))
      : yield* fail(Reasons.conflict("the store has no image of this attempt to accept"))
  })

  const resolve = Effect.fnUntraced(function* (key: string, { as, attempt }: Resolution) {
    const found = yield* known(key)
    const { row } = found
    const status = Generation.statusOf(found)
    const isOpen = row.attempt === attempt && (status === "in-doubt" || (status === "abandoned" && as !== "abandon"))
    const refusal = `attempt ${attempt} is not in doubt`
    if (!isOpen) return yield* changed(key, Option.none(), refusal)
    // If the store has all images of the generation, no decision is needed: the row is now completed, so that the
    // images are not paid for again.
    if (yield* Effect.mapError(recover(parts, row), GradientError.fromReason)) {
      if (as === "accept") return Generation.fromRow(yield* known(key))
      return yield* changed(key, Option.none(), "its images were found")
    }
    if (as === "accept") return yield* changed(key, yield* accept(row), refusal)
    const move = as === "repeat" ? Move.Repeat({ attempt }) : Move.Abandon({ attempt })
    return yield* changed(key, yield* ofJournal(journal.move(row.id, move)), refusal)
  })

  const removeContent = (id: string) =>
    Effect.forEach(storesOf(parts), (store) => ofStore(store.remove(id)), { discard: true })

  const checkResting = (found: Found) =>
    resting.includes(found.row.state)
      ? Effect.void
      : fail(Reasons.conflict(`the generation is ${Generation.statusOf(found)}: resolve it first, or wait for it`))

  /**
   * Erases a row, and then its content. From then on, no attempt of the row can begin or be completed, so that only
   * content is removed that the row had when it was read. Returns `None` if the row has changed since then.
   */
  const eraseRow = Effect.fnUntraced(function* ({ row: { id, images, token } }: Found) {
    const moved = yield* ofJournal(journal.move(id, Move.Erase({ token })))
    if (Option.isNone(moved)) return Option.none<Removed>()
    yield* removeContent(id)
    return Option.some<Removed>({ generations: 1, images })
  })

  const orConflict = Option.match({
    onNone: () => fail(Reasons.conflict("the generation has just changed")),
    onSome: (removed: Removed) => Effect.succeed(removed)
  })

  const erase = Effect.fnUntraced(function* (key: string) {
    const found = yield* known(key)
    yield* checkResting(found)
    return yield* Effect.flatMap(eraseRow(found), orConflict)
  })

  /**
   * Removes the content of a generation first and its row last, so that `forget` can be repeated after a crash between
   * the two steps. Returns `None` if the row has changed since it was read.
   */
  const forgetRow = Effect.fnUntraced(function* (found: Found) {
    const removed = yield* eraseRow(found)
    if (Option.isNone(removed)) return removed
    const { id, token } = found.row
    return Option.as(yield* ofJournal(journal.move(id, Move.Forget({ token }))), removed.value)
  })

  const forget = Effect.fnUntraced(function* (key: string) {
    const found = yield* known(key)
    yield* checkResting(found)
    return yield* Effect.flatMap(forgetRow(found), orConflict)
  })

  const expireRow = Effect.fnUntraced(function* ({ row: { id, images, token } }: Found) {
    const moved = yield* ofJournal(journal.move(id, Move.Expire({ token })))
    if (Option.isNone(moved)) return Option.none<Removed>()
    yield* removeContent(id)
    return Option.some<Removed>({ generations: 1, images })
  })

  const prune = ({ olderThan, status = "done" }: PruneOptions) =>
    rowsOf(parts, {
      states: [status],
      untouchedFor: Duration.toMillis(Duration.fromInputUnsafe(olderThan))
    }).pipe(
      Stream.mapEffect((found) => (status === "done" ? expireRow(found) : forgetRow(found))),
      Stream.runFold(
        () => nothing,
        (sum, removed) =>
          sumOf(
            sum,
            Option.getOrElse(removed, () => nothing)
          )
      )
    )

  /**
   * Writes the row that a manifest describes. Returns `None` if the journal already knew that the generation was done
   * or expired.
   */
  const reconcileOne = (id: string, move: Move) =>
    Effect.map(ofJournal(journal.move(id, move)), (moved) =>
      Option.map(moved, (row) => Generation.fromRow({ row, isLapsed: false }))
    )

  const reconcile = Stream.suspend(() => Stream.fromIterable(storesOf(parts))).pipe(
    Stream.flatMap(({ all }) => all),
    Stream.mapError((failure) => GradientError.fromReason(Reasons.storeBefore(failure))),
    Stream.mapEffect(({ id, manifest }) => reconcileOne(id, completing(manifest))),
    Stream.flatMap((changedRow) => Stream.fromIterable(Option.toArray(changedRow)))
  )

  return {
    list,
    get: (key: string) => Effect.map(find(key), Option.map(Generation.fromRow)),
    resolve,
    erase,
    forget,
    prune,
    reconcile
  }
}

const nothing: Removed = { generations: 0, images: 0 }
const sumOf = (one: Removed, other: Removed): Removed => ({
  generations: one.generations + other.generations,
  images: one.images + other.images
})
