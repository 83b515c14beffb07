/**
 * Pays at most once for each `idempotencyKey`, even if processes crash or restart, unless a person allows another
 * request or the key's row in the journal is removed. A call with a key is a generation: its request is recorded in a
 * journal before it is sent, and its images are in a store before the call succeeds. A call without a key passes
 * through unchanged.
 *
 * For one key and one journal, at most 1 request is sent, plus the requests that are proven uncharged, plus one for
 * each time a person decided `repeat`, or the row was removed by `forget`, `prune` or `keep.rows`. This holds despite
 * crashes, stalls and differing clocks, with any number of processes.
 *
 * @example
 * ```ts
 * import { DurableImages, GenerationJournal, ImageStore } from "@effect-gradient/durable"
 * import { SqliteClient } from "@effect-gradient/durable/node"
 * import { Images } from "@effect-gradient/core"
 * import { NodeImages } from "@effect-gradient/node"
 * import * as NodeServices from "@effect/platform-node/NodeServices"
 * import { Layer } from "effect"
 *
 * const journal = GenerationJournal.layerSql().pipe(Layer.provide(SqliteClient.layer({ filename: "journal.db" })))
 * const store = ImageStore.layerFolder("images").pipe(Layer.provide(NodeServices.layer))
 * const layer = DurableImages.layer().pipe(Layer.provide([NodeImages.layerFromConfig(), journal, store]))
 *
 * const program = Images.generate({ prompt: "A sea otter" }, { idempotencyKey: "order 4711" })
 * ```
 */
import { GradientError, type ImageGenerateParams, Images } from "@effect-gradient/core"
import type * as ImagesTelemetry from "@effect-gradient/core/ImagesTelemetry"
import * as Context from "effect/Context"
import * as DateTime from "effect/DateTime"
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import type * as Option from "effect/Option"
import type * as Scope from "effect/Scope"
import * as Stream from "effect/Stream"
import type { Generation } from "./Generation.ts"
import { GenerationJournal } from "./GenerationJournal.ts"
import { ImageStore } from "./ImageStore.ts"
import {
  type ListOptions,
  makeAdministration,
  type PruneOptions,
  type Removed,
  type Resolution
} from "./internal/administration.ts"
import { type Joined, makeCalls } from "./internal/sharedCalls.ts"
import * as Identity from "./internal/identity.ts"
import * as Lease from "./internal/lease.ts"
import { attemptsIn } from "./internal/manifest.ts"
import * as Outcomes from "./internal/outcomeWriter.ts"
import * as Reasons from "./internal/failureReasons.ts"
import { keepPruning, type Retention } from "./internal/retention.ts"
import type { Parts } from "./internal/AttemptRecord.ts"

export type { Stored } from "./internal/storeModels.ts"
export type { Joined } from "./internal/sharedCalls.ts"
export type { ListOptions, PruneOptions, Removed, Resolution } from "./internal/administration.ts"

/**
 * Options of the layer.
 *
 * @category models
 * @since 0.1.0
 */
export interface Options {
  /**
   * How long a process may fail to renew its lease before its unfinished requests count as in doubt. At least 1 second.
   * Default: 1 minute.
   */
  readonly lease?: Duration.Input | undefined
  /**
   * How long the closing layer waits for requests that were sent. Requests that are still under way after this time are
   * interrupted, and are in doubt. Default: 10 minutes.
   */
  readonly drain?: Duration.Input | undefined
  /**
   * What happens to a call when its last caller leaves. `finish`: the call continues, and its images are stored.
   * `interrupt`: the call is interrupted, and its request is in doubt if it is under way. Default: `finish`.
   */
  readonly whenCallerLeaves?: "finish" | "interrupt" | undefined
  /**
   * What is kept, and how long after the last change of its generation. `images`: the images of generations that are
   * done. `rows`: the rows of expired and free generations. After a row is removed, the next call with its key sends a
   * new request. What is older is removed once an hour. `params`: whether params are stored with the images. Default:
   * images and rows are kept forever, and params are not stored.
   */
  readonly keep?: (Retention & { readonly params?: boolean | undefined }) | undefined
  /**
   * Whether a call looks for the images of its key in the store and the spare store before it sends a request. A store
   * may have them although the journal does not know it, because the journal was lost or is outdated. Default: true.
   */
  readonly checkStore?: boolean | undefined
  /**
   * A second store. The images of a complete reply are written to it if they cannot be written to the first store, for
   * example because the first store is full or cannot be reached.
   */
  readonly spare?: ImageStore["Service"] | undefined
}

type Failing<A> = Effect.Effect<A, GradientError.GradientError>

/**
 * Functions that list, join, settle, remove and restore durable generations. They send no request to the service.
 *
 * @category services
 * @since 0.1.0
 */
export class DurableImages extends Context.Service<
  DurableImages,
  {
    /** Lists generations, the newest first. */
    readonly list: (options?: ListOptions) => Stream.Stream<Generation, GradientError.GradientError>
    readonly get: (key: string) => Failing<Option.Option<Generation>>
    /**
     * Joins a generation that an earlier call asked for. Succeeds at once if a call with the key is under way in this
     * process, else when the generation is done. Fails with `NotFoundError` if no call with the key is under way in
     * this process, and the generation is unknown or `free`.
     *
     * With `params`, fails with `ConflictError` if the generation was asked for with other params, not counting
     * `partialImages`, or with an `extraBody`. With `params`, a generation that only the store has is not found.
     */
    readonly join: (
      key: string,
      params?: ImageGenerateParams.ImageGenerateParamsStreaming
    ) => Effect.Effect<Joined, GradientError.GradientError, Scope.Scope>
    /**
     * Decides about an attempt that is in doubt, or was abandoned. `repeat`: the next call with the key sends another
     * request, which may be charged for too. `abandon`: no other call with the key sends a request until a person
     * decides `repeat` or removes the row. `accept`: the images that the store has of the attempt become the result,
     * and if it has none, `accept` fails with `ConflictError`. If the store already has all images of the generation,
     * they become the result, and `repeat` and `abandon` fail with `ConflictError`. So does every decision if the
     * attempt is neither in doubt nor abandoned, and `abandon` if it is abandoned.
     */
    readonly resolve: (key: string, resolution: Resolution) => Failing<Generation>
    /**
     * Removes the images of a generation, its key, its labels and the digest of its params. After that, no call with
     * the key sends a request until `prune`, `forget` or `keep.rows` removes the row. Fails with `ConflictError` if the
     * journal does not have the generation, or has it as `sending` or `in-doubt`.
     */
    readonly erase: (key: string) => Failing<Removed>
    /**
     * Removes the generation of a key and its images. The next call with the key sends a new request, which may be
     * charged for. Fails with `ConflictError` if the journal does not have the generation, or has it as `sending` or
     * `in-doubt`.
     */
    readonly forget: (key: string) => Failing<Removed>
    /**
     * Removes the images of old generations that are `done`, or the rows and images of old generations that are
     * `expired`, `abandoned` or `free`. See `PruneOptions`.
     */
    readonly prune: (options: PruneOptions) => Failing<Removed>
    /**
     * For each manifest in the store and the spare store that can be read, writes the row of its generation if the
     * journal lacks it, and completes the row if it is neither done nor expired. Emits each generation whose row was
     * written or completed.
     */
    readonly reconcile: Stream.Stream<Generation, GradientError.GradientError>
  }
>()("@effect-gradient/durable/DurableImages") {}

const defaultLease = Duration.minutes(1)
const shortestLeaseMillis = 1000
const defaultDrain = Duration.minutes(10)

const millisOf = (name: string, input: Duration.Input | undefined, fallback: Duration.Duration, minimum: number) => {
  const millis = Duration.toMillis(Duration.fromInputUnsafe(input ?? fallback))
  return millis >= minimum && Number.isFinite(millis)
    ? Effect.succeed(millis)
    : Effect.fail(
        GradientError.fromReason(
          new GradientError.InvalidParamsError({
            issues: [{ param: name, given: `${millis} ms`, allowed: `finite and at least ${minimum} ms` }],
            description: `${name} must be finite and at least ${minimum} ms (got ${millis} ms)`
          })
        )
      )
}

const makeParts = Effect.fnUntraced(function* (options: Options, leaseMillis: number, scope: Scope.Scope) {
  const journal = yield* GenerationJournal
  const store = yield* ImageStore
  const identity = yield* Identity.make
  let isClosing = false
  const lease = yield* Effect.mapError(Lease.make(journal, yield* identity.random, leaseMillis), (failure) =>
    GradientError.fromReason(Reasons.journalBefore(failure))
  )
  const parts: Parts = {
    journal,
    identity,
    lease,
    outcomes: Outcomes.make(journal, scope),
    store: attemptsIn(store, identity),
    spare: options.spare && attemptsIn(options.spare, identity),
    keepParams: options.keep?.params === true,
    isClosing: () => isClosing,
    close: () => {
      isClosing = true
    }
  }
  return parts
})

const make = Effect.fnUntraced(function* (options: Options) {
  const images = yield* Images.Images
  const leaseMillis = yield* millisOf("lease", options.lease, defaultLease, shortestLeaseMillis)
  const drainMillis = yield* millisOf("drain", options.drain, defaultDrain, 0)
  const scope = yield* Effect.scope
  const parts = yield* makeParts(options, leaseMillis, scope)
  const { join, service } = yield* makeCalls(parts, images, {
    drainMillis,
    checkStore: options.checkStore ?? true,
    isInterrupted: options.whenCallerLeaves === "interrupt"
  })
  const administration = makeAdministration(parts)
  if (options.keep !== undefined) yield* keepPruning(administration.prune, options.keep)
  return Context.make(Images.Images, Images.Images.of(service)).pipe(
    Context.add(DurableImages, DurableImages.of({ ...administration, join }))
  )
})

/**
 * Makes calls with an `idempotencyKey` durable. Within one process, do not use the same journal in two of these layers.
 *
 * @category layers
 * @since 0.1.0
 */
export const layer = (
  options: Options = {}
): Layer.Layer<
  Images.Images | DurableImages,
  GradientError.GradientError,
  Images.Images | GenerationJournal | ImageStore
> => Layer.effectContext(make(options))

/**
 * Lists the generations of the journal, the newest first.
 *
 * @category accessors
 * @since 0.1.0
 */
export const list = (options?: ListOptions): Stream.Stream<Generation, GradientError.GradientError, DurableImages> =>
  Stream.unwrap(Effect.map(DurableImages, (durable) => durable.list(options)))

/**
 * Returns the generation of a key, or `None` if the journal has none.
 *
 * @category accessors
 * @since 0.1.0
 */
export const get = (
  key: string
): Effect.Effect<Option.Option<Generation>, GradientError.GradientError, DurableImages> =>
  Effect.flatMap(DurableImages, (durable) => durable.get(key))

/**
 * Counts the generations in doubt, and returns when the first of their attempts began, if there are any. Pass it to
 * `ImagesTelemetry.layerDoubts`.
 *
 * @example
 * ```ts
 * import * as ImagesTelemetry from "@effect-gradient/core/ImagesTelemetry"
 * import { DurableImages } from "@effect-gradient/durable"
 *
 * const layer = ImagesTelemetry.layerDoubts(DurableImages.doubts) // requires DurableImages
 * ```
 *
 * @category accessors
 * @since 0.1.0
 */
export const doubts: Effect.Effect<ImagesTelemetry.Doubts, GradientError.GradientError, DurableImages> = Stream.runFold(
  list({ status: "in-doubt" }),
  (): ImagesTelemetry.Doubts => ({ count: 0, oldest: undefined }),
  ({ count, oldest }, { sentAt }) => ({
    count: count + 1,
    oldest: oldest === undefined ? sentAt : DateTime.min(oldest, sentAt)
  })
)

/**
 * Joins a generation that an earlier call asked for. Succeeds at once if a call with the key is under way in this
 * process, else when the generation is done. It never sends a request to the service.
 *
 * @category accessors
 * @since 0.1.0
 */
export const join = (
  key: string,
  params?: ImageGenerateParams.ImageGenerateParamsStreaming
): Effect.Effect<Joined, GradientError.GradientError, DurableImages | Scope.Scope> =>
  Effect.flatMap(DurableImages, (durable) => durable.join(key, params))

/**
 * Decides whether an attempt that is in doubt or abandoned is repeated, abandoned, or accepted with the images that the
 * store has of it. See `Resolution`.
 *
 * @category accessors
 * @since 0.1.0
 */
export const resolve = (
  key: string,
  resolution: Resolution
): Effect.Effect<Generation, GradientError.GradientError, DurableImages> =>
  Effect.flatMap(DurableImages, (durable) => durable.resolve(key, resolution))

/**
 * Removes the images of a generation, its key, its labels and the digest of its params. After that, no call with the
 * key sends a request until `prune`, `forget` or `keep.rows` removes the row. Fails with `ConflictError` if the journal
 * does not have the generation, or has it as `sending` or `in-doubt`.
 *
 * @category accessors
 * @since 0.1.0
 */
export const erase = (key: string): Effect.Effect<Removed, GradientError.GradientError, DurableImages> =>
  Effect.flatMap(DurableImages, (durable) => durable.erase(key))

/**
 * Removes the generation of a key and its images. The next call with the key sends a new request, which may be charged
 * for. Fails with `ConflictError` if the journal does not have the generation, or has it as `sending` or `in-doubt`.
 *
 * @category accessors
 * @since 0.1.0
 */
export const forget = (key: string): Effect.Effect<Removed, GradientError.GradientError, DurableImages> =>
  Effect.flatMap(DurableImages, (durable) => durable.forget(key))

/**
 * Removes the images of old generations, or their rows and images. See `PruneOptions`.
 *
 * @category accessors
 * @since 0.1.0
 */
export const prune = (options: PruneOptions): Effect.Effect<Removed, GradientError.GradientError, DurableImages> =>
  Effect.flatMap(DurableImages, (durable) => durable.prune(options))

/**
 * For each manifest in the store and the spare store that can be read, writes the row of its generation if the journal
 * lacks it, and completes the row if it is neither done nor expired. Run it after the journal was restored from a
 * backup.
 *
 * @category accessors
 * @since 0.1.0
 */
export const reconcile: Stream.Stream<Generation, GradientError.GradientError, DurableImages> = Stream.unwrap(
  Effect.map(DurableImages, (durable) => durable.reconcile)
)
