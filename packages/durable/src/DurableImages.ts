/**
 * Pays for each call once, even if processes crash or restart. A call with an `idempotencyKey` is a generation: its
 * request is recorded in a journal before it is sent, and its images are in a store before the caller gets them. For
 * one key and one journal, at most 1 request is sent, plus those that are proven uncharged, plus one for each time a
 * person decided `repeat` or `forget`. This holds despite crashes, stalls and differing clocks, with any number of
 * processes. A call without a key passes through unchanged.
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
  /** How long a process may be silent before its requests are in doubt. At least 1 second. Default: 1 minute. */
  readonly lease?: Duration.Input | undefined
  /**
   * When the layer closes, it waits this long for requests that were sent. Those still running then are in doubt.
   * Default: 10 minutes.
   */
  readonly drain?: Duration.Input | undefined
  /**
   * What happens to a call when its last caller leaves. `finish`: it is finished and stored. `interrupt`: it ends in
   * doubt. Default: `finish`.
   */
  readonly whenCallerLeaves?: "finish" | "interrupt" | undefined
  /**
   * `images`: how long images are kept. `rows`: after how long the row of an expired or free generation is removed, so
   * that its key can pay again. `params`: whether params are kept with the images. Default: everything is kept, params
   * are not.
   */
  readonly keep?: (Retention & { readonly params?: boolean | undefined }) | undefined
  /**
   * Whether to look for a key's images in the store before its request is sent, in case the journal was lost or is
   * outdated. Default: true.
   */
  readonly checkStore?: boolean | undefined
  /** A second store, for images that cannot be written to the store: it refuses them, is full or cannot be reached. */
  readonly spare?: ImageStore["Service"] | undefined
}

type Failing<A> = Effect.Effect<A, GradientError.GradientError>

/**
 * Functions to list, join, settle and remove durable generations. None of them sends a request.
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
     * Joins a generation that was asked for before: at once if it is under way in this process, else when it is done. Fails
     * with `NotFoundError` if nothing is under way for the key and nothing was charged for. With `params` it only looks in
     * the journal, not in the store, and fails with `ConflictError` if the generation was asked for with others.
     */
    readonly join: (
      key: string,
      params?: ImageGenerateParams.ImageGenerateParamsStreaming
    ) => Effect.Effect<Joined, GradientError.GradientError, Scope.Scope>
    /**
     * Decides about the attempt that is in doubt. `repeat`: the next call may pay again. `abandon`: it is never sent
     * again. `accept`: the images that were found are the result. Fails with `ConflictError` if it is no longer in
     * doubt.
     */
    readonly resolve: (key: string, resolution: Resolution) => Failing<Generation>
    /** Removes images, key, labels and digest. The key can never pay again. */
    readonly erase: (key: string) => Failing<Removed>
    /** Removes the generation and its images, so that the key can pay again. */
    readonly forget: (key: string) => Failing<Removed>
    /** Removes old generations: the images of those that are `done`, or the rows of another status. */
    readonly prune: (options: PruneOptions) => Failing<Removed>
    /** Restores rows that the journal has lost, from the store's manifests. Returns the generations that it changed. */
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
            issues: [{ param: name, given: `${millis} ms`, allowed: `at least ${minimum} ms` }],
            description: `${name} must be at least ${minimum} ms (got ${millis} ms)`
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
 * Makes calls with an `idempotencyKey` durable. In one process, use a journal with only one such layer.
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
 * The generations of the journal, the newest first.
 *
 * @category accessors
 * @since 0.1.0
 */
export const list = (options?: ListOptions): Stream.Stream<Generation, GradientError.GradientError, DurableImages> =>
  Stream.unwrap(Effect.map(DurableImages, (durable) => durable.list(options)))

/**
 * The generation of a key. It never sends a request.
 *
 * @category accessors
 * @since 0.1.0
 */
export const get = (
  key: string
): Effect.Effect<Option.Option<Generation>, GradientError.GradientError, DurableImages> =>
  Effect.flatMap(DurableImages, (durable) => durable.get(key))

/**
 * How many generations are in doubt, and when the oldest of them was sent: for `ImagesTelemetry.layerDoubts`.
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
 * Joins a generation that was asked for before: at once if it is under way in this process, else when it is done. It never
 * sends.
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
 * Decides about the attempt that is in doubt.
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
 * Removes images, key, labels and digest. The key can never pay again.
 *
 * @category accessors
 * @since 0.1.0
 */
export const erase = (key: string): Effect.Effect<Removed, GradientError.GradientError, DurableImages> =>
  Effect.flatMap(DurableImages, (durable) => durable.erase(key))

/**
 * Removes the generation of a key and its images, so that the key can pay again.
 *
 * @category accessors
 * @since 0.1.0
 */
export const forget = (key: string): Effect.Effect<Removed, GradientError.GradientError, DurableImages> =>
  Effect.flatMap(DurableImages, (durable) => durable.forget(key))

/**
 * Removes the images of old generations, or their rows. See `PruneOptions`.
 *
 * @category accessors
 * @since 0.1.0
 */
export const prune = (options: PruneOptions): Effect.Effect<Removed, GradientError.GradientError, DurableImages> =>
  Effect.flatMap(DurableImages, (durable) => durable.prune(options))

/**
 * Restores rows that the journal has lost, from the store's manifests. Run it after the journal was restored from a
 * backup.
 *
 * @category accessors
 * @since 0.1.0
 */
export const reconcile: Stream.Stream<Generation, GradientError.GradientError, DurableImages> = Stream.unwrap(
  Effect.map(DurableImages, (durable) => durable.reconcile)
)
