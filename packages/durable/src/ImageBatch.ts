/**
 * Many requests, each paid for once. A batch is a file with a request on each line: JSON with the params by their wire
 * names, and an `id` that no other line has. Its runners are processes that share a journal and a store, on one machine
 * or on many. If a runner is killed, the others go on. The same call continues a batch that was stopped.
 *
 * The key of a request is `<batch>/<id>`. If a runner is killed, its requests under way are in doubt: they are not sent
 * again unless a person decides so.
 *
 * @example
 * ```ts
 * import { DurableImages, GenerationJournal, ImageBatch, ImageStore } from "@effect-gradient/durable"
 * import { SqliteClient } from "@effect-gradient/durable/node"
 * import { NodeImages } from "@effect-gradient/node"
 * import * as NodeServices from "@effect/platform-node/NodeServices"
 * import { Effect, Layer, Stream } from "effect"
 *
 * const journal = GenerationJournal.layerSql().pipe(Layer.provide(SqliteClient.layer({ filename: "journal.db" })))
 * const store = ImageStore.layerFolder("images").pipe(Layer.provide(NodeServices.layer))
 * const layer = DurableImages.layer().pipe(
 *   Layer.provide(NodeImages.layerFromConfig()),
 *   Layer.provideMerge(Layer.merge(journal, store))
 * )
 *
 * const lines = Stream.make('{"id":"otter","prompt":"A sea otter"}', '{"id":"fox","prompt":"A red fox"}')
 * const program = ImageBatch.run({ name: "animals", lines, concurrency: 8 }).pipe(
 *   Stream.runForEach(({ done, total }) => Effect.log(`${done} of ${total}`)),
 *   Effect.provide(layer)
 * )
 * ```
 */
import { GradientError, Images } from "@effect-gradient/core"
import * as Effect from "effect/Effect"
import * as Fiber from "effect/Fiber"
import * as Option from "effect/Option"
import type * as Scope from "effect/Scope"
import * as Stream from "effect/Stream"
import type { DurableImages } from "./DurableImages.ts"
import { GenerationJournal } from "./GenerationJournal.ts"
import { ImageStore } from "./ImageStore.ts"
import { type Checked, checkLines } from "./internal/batch/check.ts"
import * as Copy from "./internal/batch/copy.ts"
import { keyOf, run as runRunner } from "./internal/batch/runner.ts"
import * as Identity from "./internal/identity.ts"
import type { Count } from "./internal/journalModels.ts"
import * as Reasons from "./internal/failureReasons.ts"

/**
 * The progress of a batch. `failed`: refused, and not charged for. `inDoubt`: may have been charged for, and the image
 * is not in the store. `abandoned`: was in doubt, and a person gave it up. `waiting`: not sent yet.
 *
 * @category models
 * @since 0.1.0
 */
export interface Progress {
  readonly batch: string
  readonly total: number
  readonly done: number
  readonly failed: number
  readonly inDoubt: number
  readonly abandoned: number
  readonly sending: number
  readonly waiting: number
  /** Images in the store, also those of requests in doubt. */
  readonly images: number
  /** Tokens that the service counted for the requests that are done, also if their images were removed. */
  readonly totalTokens: number
}

/**
 * Options of a runner.
 *
 * @category models
 * @since 0.1.0
 */
export interface WorkerOptions {
  /** The name of the batch: 1 to 100 characters, without a slash. */
  readonly name: string
  /** How many requests this runner has under way at once. Default: 4. */
  readonly concurrency?: number | undefined
}

/**
 * Options of `run`.
 *
 * @category models
 * @since 0.1.0
 */
export interface RunOptions<E, R> extends WorkerOptions {
  /** The lines of the file. They are read up to three times: to check them, to copy them, and to compare equal ids. */
  readonly lines: Stream.Stream<string, E, R>
}

type Services = Images.Images | DurableImages | GenerationJournal | ImageStore

const defaultConcurrency = 4

const refuse = (param: string, given: string, allowed: string) =>
  GradientError.fromReason(
    new GradientError.InvalidParamsError({
      issues: [{ param, given, allowed }],
      description: `${param} must be ${allowed} (got ${given})`
    })
  )

const checkOptions = ({ concurrency = defaultConcurrency, name }: WorkerOptions) => {
  if (name.length < 1 || name.length > 100) return refuse("name", `${name.length} characters`, "1 to 100 characters")
  // The key of a request is <batch>/<id>: with a slash in the name, two requests could have the same key.
  if (name.includes("/")) return refuse("name", JSON.stringify(name), "without a slash")
  if (!Number.isSafeInteger(concurrency) || concurrency < 1) {
    return refuse("concurrency", String(concurrency), "an integer of at least 1")
  }
  return Effect.succeed({ name, concurrency })
}

const places = Effect.gen(function* () {
  return { identity: yield* Identity.make, store: yield* ImageStore }
})

const progressOf = (batch: string, total: number, counts: ReadonlyArray<Count>): Progress => {
  const of = (status: Count["status"]) => counts.find((count) => count.status === status)?.generations ?? 0
  const [done, failed, sending] = [of("done") + of("expired"), of("failed"), of("sending")]
  const [inDoubt, abandoned] = [of("in-doubt"), of("abandoned")]
  return {
    batch,
    total,
    done,
    failed,
    inDoubt,
    abandoned,
    sending,
    waiting: Math.max(0, total - done - failed - inDoubt - abandoned - sending),
    images: counts.reduce((sum, { images }) => sum + images, 0),
    totalTokens: counts.reduce((sum, { totalTokens }) => sum + totalTokens, 0)
  }
}

const progress = (journal: GenerationJournal["Service"], batch: string, total: number) =>
  journal.count(keyOf(batch, "")).pipe(
    Effect.map((counts) => progressOf(batch, total, counts)),
    Effect.mapError((failure) => GradientError.fromReason(Reasons.journalBefore(failure)))
  )

/** Runs in the background, and gives the progress every second, and at the end. */
const watching = Effect.fnUntraced(function* (
  { concurrency, name }: { readonly concurrency: number; readonly name: string },
  { total, ...checked }: Checked,
  isRetrying: boolean
) {
  const parts = { ...(yield* places), images: yield* Images.Images, journal: yield* GenerationJournal }
  const runner = yield* Effect.forkScoped(runRunner(parts, { ...checked, total, name, concurrency, isRetrying }))
  const now = progress(parts.journal, name, total)
  const ticks = Stream.tick("1 second").pipe(
    // The journal may be unreachable for a while.
    Stream.mapEffect(() => Effect.option(now)),
    Stream.flatMap((found) => Stream.fromIterable(Option.toArray(found))),
    Stream.haltWhen(Fiber.await(runner))
  )
  return Stream.concat(ticks, Stream.fromEffect(Effect.andThen(Fiber.join(runner), now)))
})

/** Fails if the journal has requests of a batch that the store does not have: their images are in another store. */
const checkUnknown = Effect.fnUntraced(function* (name: string) {
  const journal = yield* GenerationJournal
  const { done } = yield* progress(journal, name, 0)
  if (done === 0) return
  return yield* GradientError.fromReason(
    Reasons.conflict(
      `the journal has ${done} requests of a batch ${JSON.stringify(name)} that this store does not have. Use its store, or ` +
        "another name"
    )
  )
})

/** The batch of this name in the store, copied there if it is new. */
const prepared = Effect.fnUntraced(function* <E, R>(name: string, lines: Stream.Stream<string, E, R>) {
  const { identity, store } = yield* places
  const checked = yield* checkLines(lines, identity)
  const found = yield* Copy.find(store, identity, name)
  if (Option.isNone(found)) {
    yield* checkUnknown(name)
    yield* Copy.write(store, identity, name, checked, lines)
  } else if (found.value.digest !== checked.digest) {
    return yield* GradientError.fromReason(
      Reasons.conflict(`the batch ${JSON.stringify(name)} has other requests. Give the changed file another name`)
    )
  }
  return checked
})

/**
 * Runs a batch to its end, and gives its progress every second. It checks every line before anything is sent, and fails with
 * `InvalidParamsError` that lists all problems by line. Requests that failed before are asked for once more. It fails with
 * `ConflictError` if the batch of this name has other requests; and as soon as a failure shows that every request would fail,
 * such as a wrong key.
 *
 * @category running
 * @since 0.1.0
 */
export const run = <E = never, R = never>(
  options: RunOptions<E, R>
): Stream.Stream<Progress, E | GradientError.GradientError, Exclude<R, Scope.Scope> | Services> =>
  Stream.unwrap(
    Effect.gen(function* () {
      const checkedOptions = yield* checkOptions(options)
      return yield* watching(checkedOptions, yield* prepared(options.name, options.lines), true)
    })
  )

const known = Effect.fnUntraced(function* (name: string) {
  const { identity, store } = yield* places
  const found = yield* Copy.find(store, identity, name)
  if (Option.isSome(found)) return found.value
  return yield* refuse("name", JSON.stringify(name), "the name of a batch in this store")
})

/**
 * Helps with a batch that `run` has begun in another process, until it has ended.
 *
 * @category running
 * @since 0.1.0
 */
export const worker = (options: WorkerOptions): Stream.Stream<Progress, GradientError.GradientError, Services> =>
  Stream.unwrap(
    Effect.gen(function* () {
      const checkedOptions = yield* checkOptions(options)
      return yield* watching(checkedOptions, yield* known(options.name), false)
    })
  )

/**
 * How far a batch is. It sends nothing.
 *
 * @category running
 * @since 0.1.0
 */
export const status = (
  name: string
): Effect.Effect<Progress, GradientError.GradientError, GenerationJournal | ImageStore> =>
  Effect.gen(function* () {
    const { total } = yield* known(name)
    return yield* progress(yield* GenerationJournal, name, total)
  }).pipe(Effect.scoped)

/** The same params several times, without a journal: `ImagesEach.generate` of core, which loads nothing of this package. */
export { Each, generate as each } from "@effect-gradient/core/ImagesEach"
