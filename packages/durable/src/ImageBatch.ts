/**
 * Runs many requests, and pays for each of them at most once. A batch is a list of lines, such as those of a file, with
 * one request on each line. A line is JSON: the params by their wire names, and an `id` that no other line has. Blank
 * lines are skipped.
 *
 * Runners are the processes that run a batch. They share a journal and a store, on one machine or on many. If a runner
 * is killed, the others continue with the rest of the batch. Requests that the killed runner had under way are not sent
 * again unless a person decides so. They are in doubt, unless all their images had been stored. If all runners have
 * stopped, calling `run` again continues the batch.
 *
 * The idempotency key of a request is `<batch>/<id>`.
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
 * The progress of a batch, as numbers of requests. `done`: the images were stored. `failed`: the request failed or was
 * interrupted, and was not charged for. `inDoubt`: the request may have been charged for, and is not done. `abandoned`:
 * the request was in doubt, and a person decided that it is not sent again. `sending`: the request may be under way.
 * `waiting`: all other requests, such as those that have not been sent or that a person decided to repeat.
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
  /** The number of stored images that the journal knows of, including images of requests in doubt. */
  readonly images: number
  /**
   * The number of tokens that the service counted for all requests in `done`, even if their images were removed.
   */
  readonly totalTokens: number
}

/**
 * Options of a runner.
 *
 * @category models
 * @since 0.1.0
 */
export interface WorkerOptions {
  /** The name of the batch: 1 to 100 characters, as `length` of JavaScript counts them, none of which is a slash. */
  readonly name: string
  /** How many requests this runner may have under way at the same time. Default: 4. */
  readonly concurrency?: number | undefined
}

/**
 * Options of `run`.
 *
 * @category models
 * @since 0.1.0
 */
export interface RunOptions<E, R> extends WorkerOptions {
  /**
   * The lines of the batch. The stream is read up to three times: to check the lines, to compare ids with equal hashes,
   * and to copy the lines.
   */
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
  // The key of a request is <batch>/<id>. If a name could contain a slash, requests of two batches could have the same
  // key.
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

/**
 * Starts the runner in the background. Returns a stream that emits the progress every second, and once more when the
 * runner has succeeded. If the runner fails, the stream fails.
 */
const watching = Effect.fnUntraced(function* (
  { concurrency, name }: { readonly concurrency: number; readonly name: string },
  { total, ...checked }: Checked,
  isRetrying: boolean
) {
  const parts = { ...(yield* places), images: yield* Images.Images, journal: yield* GenerationJournal }
  const runner = yield* Effect.forkScoped(runRunner(parts, { ...checked, total, name, concurrency, isRetrying }))
  const now = progress(parts.journal, name, total)
  const ticks = Stream.tick("1 second").pipe(
    // While the journal cannot be reached, no progress is emitted.
    Stream.mapEffect(() => Effect.option(now)),
    Stream.flatMap((found) => Stream.fromIterable(Option.toArray(found))),
    Stream.haltWhen(Fiber.await(runner))
  )
  return Stream.concat(ticks, Stream.fromEffect(Effect.andThen(Fiber.join(runner), now)))
})

/**
 * Fails if the journal has finished requests of a batch of this name. It is called if the store does not have the
 * batch: the store is then probably not the one with which the batch was begun.
 */
const checkUnknown = Effect.fnUntraced(function* (name: string) {
  const journal = yield* GenerationJournal
  const { done } = yield* progress(journal, name, 0)
  if (done === 0) return
  return yield* GradientError.fromReason(
    Reasons.conflict(
      `the journal has ${done} finished requests of a batch ${JSON.stringify(name)}, but this store does not have that batch. ` +
        "Use the store with which that batch was begun, or give this batch another name"
    )
  )
})

/**
 * Checks the lines of the batch, and copies them to the store if no batch of this name is there yet. Fails if the store
 * has a batch of this name with other lines.
 */
const prepared = Effect.fnUntraced(function* <E, R>(name: string, lines: Stream.Stream<string, E, R>) {
  const { identity, store } = yield* places
  const checked = yield* checkLines(lines, identity)
  const found = yield* Copy.find(store, identity, name)
  if (Option.isNone(found)) yield* checkUnknown(name)
  const { digest } = Option.isSome(found) ? found.value : yield* Copy.write(store, identity, name, checked, lines)
  if (digest !== checked.digest) {
    return yield* GradientError.fromReason(
      Reasons.conflict(
        `the batch ${JSON.stringify(name)} has other lines than the batch of this name in the store. ` +
          "Give the changed file another name"
      )
    )
  }
  return checked
})

/**
 * Runs a batch to its end, and emits its progress every second while the journal can be reached. Before it sends
 * anything, it checks every line. It fails with `InvalidParamsError`, which lists the problems by line, or with
 * `ConflictError` if the store has a batch of this name with other lines, or has none although the journal has finished
 * requests of it. A request that failed in an earlier run, and was not charged for, is sent again. The run fails at
 * once if a request fails because the model access key is wrong or lacks a permission, the credit is used up, or the
 * model does not exist; if images could not be stored; or if the key of a request belongs to a generation with other
 * params. It also fails if more than 30 passes over the batch in a row bring no outcome, and the last of them had a
 * failure, for example because the service cannot be reached or a budget is used up.
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
 * Runs one more runner of a batch that `run` has begun, for example on another machine. Emits the progress of the batch
 * every second while the journal can be reached. Ends when each request of the batch has an outcome.
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
 * Returns the progress of a batch. It sends no request to the service.
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

/**
 * Sends several requests with the same params, without a journal. It is `ImagesEach.generate` of core, which a program
 * can also import from core, without loading this package.
 */
export { Each, generate as each } from "@effect-gradient/core/ImagesEach"
