/**
 * Answers one call that has an idempotency key. It reads the journal, and then returns images from the store, waits for
 * another process, sends a request, or fails.
 */
import { Attempt, GradientError, ImageStream, type ImageGenerateParams, type Images } from "@effect-gradient/core"
import * as Arr from "effect/Array"
import * as DateTime from "effect/DateTime"
import * as Effect from "effect/Effect"
import * as Option from "effect/Option"
import * as Stream from "effect/Stream"
import * as Struct from "effect/Struct"
import { isKnownDigest } from "./identity.ts"
import type { Found } from "./journalModels.ts"
import type { Row } from "./stateMachine.ts"
import { type Attempts, completing, LostFile } from "./manifest.ts"
import * as Reasons from "./failureReasons.ts"
import { findInStores, recover } from "./storeRecovery.ts"
import type { SharedCall } from "./SharedCall.ts"
import { type Parts, AttemptRecord } from "./AttemptRecord.ts"
import type { Stored, StoreFailure } from "./storeModels.ts"

type Service = Images.Images["Service"]
type Options = NonNullable<Parameters<Service["generate"]>[1]>
type Reason = GradientError.GradientErrorReason

/** The key of a generation, and the id that is made from the key. */
export interface Named {
  readonly id: string
  readonly key: string
}

export interface KeyedCall extends Named {
  readonly kind: ImageGenerateParams.Kind
  readonly params: ImageGenerateParams.ImageGenerateParamsStreaming
  readonly options: Options
  readonly shared: SharedCall
  /**
   * Called with the record of the call's attempts before a request can be sent. When the layer closes, it reads from
   * the record whether to wait for the call.
   */
  readonly onRecord: (record: AttemptRecord) => void
}

const firstPollMillis = 250
const longestPollMillis = 2000

/**
 * What to do if a request may be sent, and what to do if the generation is done. `check` can refuse the row first, for
 * example because it belongs to a call with other params.
 */
interface Policy<A> {
  /**
   * The effect that runs if the journal has no row of the generation, or a `free` one. It sends the request, or fails if
   * the caller only waits. Its result is `undefined` if another process got the permission to send first.
   */
  readonly whenFree: Effect.Effect<A | undefined, GradientError.GradientError>
  readonly whenDone: (row: Row) => Effect.Effect<A, Reason>
  readonly check: (row: Row) => Effect.Effect<void, Reason>
}

export const answer = (parts: Parts, images: Service, call: KeyedCall, checkStore: boolean) =>
  settle(parts, call, checkStore, {
    whenFree: Effect.suspend(() => send(parts, images, call)),
    whenDone: (row) => fromStore(parts, ({ load }) => load(row.id, row.folder ?? "")),
    check: (row) => checkParams(parts, call.shared.asked, row)
  })

/**
 * Waits until a generation is done that another process or an earlier call asked for. It never sends a request. The
 * bytes of the result's images are read on demand.
 */
export const follow = (parts: Parts, named: Named, checkStore: boolean) =>
  settle<Stored>(parts, named, checkStore, {
    whenFree: Effect.fail(GradientError.fromReason(Reasons.unknown())),
    whenDone: (row) => openStored(parts, row),
    check: () => Effect.void
  })

const settle = Effect.fnUntraced(function* <A extends object>(
  parts: Parts,
  named: Named,
  checkStore: boolean,
  { check, whenDone, whenFree }: Policy<A>
): Effect.fn.Return<A, GradientError.GradientError> {
  let poll = firstPollMillis
  /** The token in the row, if the permission to send had lapsed when the row was last read. */
  let lapsed: string | undefined
  while (true) {
    const found = Option.getOrUndefined(yield* look(parts, named, checkStore))
    if (found === undefined || found.row.state === "free") {
      const sent = yield* whenFree
      if (sent !== undefined) return sent
      continue
    }
    yield* Effect.mapError(check(found.row), GradientError.fromReason)
    const settled = yield* Effect.mapError(
      settledBy(parts, named.key, found, lapsed, whenDone),
      GradientError.fromReason
    )
    if (settled === "again") continue
    if (settled !== "wait") return settled
    // A process that wakes from sleep soon renews its lease. So a permission counts as lapsed only if two reads in a
    // row find it lapsed.
    const waits = found.isLapsed ? parts.lease.leaseMillis / 3 : poll
    lapsed = found.isLapsed ? found.row.token : undefined
    poll = Math.min(poll * 2, longestPollMillis)
    yield* Effect.sleep(waits)
  }
})

/**
 * Reads the row of a generation. If the row is missing or `free`, a request could be sent, so the stores are checked
 * first if `checkStore` is true: if one has a manifest of the generation, the row is completed. The journal may not
 * know these images because it was lost or restored from an older backup.
 */
const look = (
  parts: Parts,
  { id }: Named,
  checkStore: boolean
): Effect.Effect<Option.Option<Found>, GradientError.GradientError> =>
  Effect.gen(function* () {
    const find = Effect.mapError(parts.journal.find(id), Reasons.journalBefore)
    const found = yield* find
    const isSendable = Option.isNone(found) || found.value.row.state === "free"
    if (!isSendable || !checkStore) return found
    const manifest = yield* Effect.mapError(
      findInStores(parts, (store) => Effect.map(store.find(id), ([first]) => Option.fromNullishOr(first))),
      Reasons.storeBefore
    )
    if (Option.isNone(manifest)) return found
    yield* Effect.mapError(parts.journal.move(id, completing(manifest.value)), Reasons.journalBefore)
    return yield* find
  }).pipe(Effect.mapError(GradientError.fromReason))

/**
 * Fails if the digest in the row is of other params or another `extraBody`. An absent digest, or one of another
 * version, is not compared.
 */
export const checkParams = (parts: Parts, asked: string, { digest, salt }: Row): Effect.Effect<void, Reason> =>
  digest === undefined || salt === undefined || !isKnownDigest(digest)
    ? Effect.void
    : Effect.flatMap(parts.identity.digestOf(salt, asked), (own) =>
        own === digest ? Effect.void : Effect.fail(Reasons.keyReused())
      )

/**
 * Decides what the row means for the call: the answer or a failure, `wait` if a request may be under way, or `again` if
 * the row was changed and must be read again.
 */
const settledBy = <A>(
  parts: Parts,
  key: string,
  found: Found,
  lapsed: string | undefined,
  whenDone: (row: Row) => Effect.Effect<A, Reason>
): Effect.Effect<A | "wait" | "again", Reason> => {
  const { row } = found
  const isKnown = row.digest === undefined || isKnownDigest(row.digest)
  if (row.state === "expired") return Effect.fail(new GradientError.ExpiredError({ key }))
  if (row.state === "done" && isKnown) return whenDone(row)
  const isOver = found.isLapsed && lapsed === row.token
  if (row.state === "sending" && isKnown && !isOver) return Effect.succeed("wait")
  return Effect.flatMap(recover(parts, row), (isDone) =>
    isDone
      ? Effect.succeed("again" as const)
      : Effect.flatMap(imagesOf(parts, row), (images) => Effect.fail(Reasons.inDoubt(key, row, images)))
  )
}

/**
 * The images that the store has of an attempt in doubt, including partial ones. If they cannot be read, the list is
 * empty, so that the call still fails with `InDoubtError`.
 */
const imagesOf = (parts: Parts, { attempt, id, token }: Row) =>
  Effect.orElseSucceed(
    Effect.flatMap(parts.store.files(id, `${attempt}-${token}`, "any"), parts.store.images),
    () => []
  )

/** Reads the images of a key from the first store that has them. */
const fromStore = <A>(
  parts: Parts,
  read: (store: Attempts) => Effect.Effect<Option.Option<A>, StoreFailure>
): Effect.Effect<A, Reason> =>
  Effect.gen(function* () {
    const found = yield* findInStores(parts, read)
    if (Option.isSome(found)) return found.value
    return yield* Reasons.imagesLost("the store has lost the images of this key")
  }).pipe(Effect.catchTag("StoreFailure", (failure) => Effect.fail(ofDone(failure))))

/** The reason for a failure of the store to read a generation that is done. */
const ofDone = (failure: StoreFailure): Reason =>
  failure instanceof LostFile ? Reasons.imagesLost(failure.message) : Reasons.storeBefore(failure)

/** Opens the images of a generation that is done. Their bytes are read on demand. */
const openStored = (parts: Parts, { folder = "", id }: Row): Effect.Effect<Stored, Reason> =>
  Effect.map(
    fromStore(parts, ({ open }) => open(id, folder)),
    ({ images, outline }) => ({
      outline,
      images: images.map(({ read, size }) => ({
        size,
        read: (start: number, length: number) =>
          Effect.mapError(read(start, length), (failure) => GradientError.fromReason(ofDone(failure)))
      }))
    })
  )

/** Sends the call. Returns `undefined` if the generation is no longer free. */
const send = Effect.fnUntraced(function* (parts: Parts, images: Service, call: KeyedCall) {
  const { id, key, kind, options, params, shared } = call
  const salt = yield* parts.identity.random
  const digest = yield* parts.identity.digestOf(salt, shared.asked)
  const labels = { ...options.labels }
  const record = new AttemptRecord(parts, { id, asked: { key, salt, digest, labels } })
  call.onRecord(record)
  // The id is sent as the idempotency key, because the key itself may contain characters that are not allowed in a
  // header.
  const hashed = { ...options, idempotencyKey: id }
  const run = kind === "generate" ? generate(images, params, hashed) : stream(images, params, hashed, shared)
  return yield* run.pipe(
    Effect.updateService(Attempt.Around, (entries) => [...entries, record.entry]),
    Effect.catch((error) => (record.isRefused ? Effect.succeed(undefined) : Effect.fail(error)))
  )
})

const generate = (images: Service, params: KeyedCall["params"], options: Options) =>
  images.generate(Struct.omit(params, ["partialImages"]), options)

const stream = Effect.fnUntraced(function* (
  images: Service,
  params: KeyedCall["params"],
  options: Options,
  shared: SharedCall
) {
  const completed = yield* images.generateStream(params, options).pipe(
    Stream.tap((event) => Effect.sync(() => shared.add(event))),
    Stream.filter((event) => event._tag === "Completed"),
    Stream.runCollect
  )
  if (Arr.isReadonlyArrayNonEmpty(completed)) return ImageStream.toResponse(completed, yield* DateTime.now)
  return yield* GradientError.fromReason(new GradientError.IncompleteStreamError({}))
})
