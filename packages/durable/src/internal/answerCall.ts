/**
 * Answers one call with a key. It reads the journal, and then answers from the store, waits for another process, sends,
 * or fails.
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
import { type Attempts, completing } from "./manifest.ts"
import * as Reasons from "./failureReasons.ts"
import { recover } from "./storeRecovery.ts"
import type { SharedCall } from "./SharedCall.ts"
import { type Parts, AttemptRecord } from "./AttemptRecord.ts"
import type { Stored, StoreFailure } from "./storeModels.ts"

type Service = Images.Images["Service"]
type Options = NonNullable<Parameters<Service["generate"]>[1]>
type Reason = GradientError.GradientErrorReason

/** A generation that somebody waits for. */
export interface Named {
  readonly id: string
  readonly key: string
}

/** A call under a key. */
export interface KeyedCall extends Named {
  readonly kind: ImageGenerateParams.Kind
  readonly params: ImageGenerateParams.ImageGenerateParamsStreaming
  readonly options: Options
  readonly shared: SharedCall
  /** Called before the request can be sent, so that the layer knows what to wait for when it closes. */
  readonly onRecord: (record: AttemptRecord) => void
}

const firstPollMillis = 250
const longestPollMillis = 2000

/**
 * What to do with a generation that may be sent or that is done, and a check that the row belongs to the same call.
 */
interface Policy<A> {
  /** `undefined`: another process got the permission first. */
  readonly whenFree: Effect.Effect<A | undefined, GradientError.GradientError>
  readonly whenDone: (row: Row) => Effect.Effect<A, Reason>
  readonly check: (row: Row) => Effect.Effect<void, Reason>
}

/** Answers the call. It reads the journal as often as necessary. */
export const answer = (parts: Parts, images: Service, call: KeyedCall, checkStore: boolean) =>
  settle(parts, call, checkStore, {
    whenFree: Effect.suspend(() => send(parts, images, call)),
    whenDone: (row) => fromStore(parts, ({ load }) => load(row.id, row.folder ?? "")),
    check: (row) => checkParams(parts, call.shared.asked, row)
  })

/** Waits for a generation that was asked for elsewhere. It never sends a request, and reads no image. */
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
  /** The token of the permission, if its lease was over when the journal was last read. */
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
    // A process that wakes from sleep renews its lease first. So the lease counts as ended only if it is over at two
    // reads in a row.
    const waits = found.isLapsed ? parts.lease.leaseMillis / 3 : poll
    lapsed = found.isLapsed ? found.row.token : undefined
    poll = Math.min(poll * 2, longestPollMillis)
    yield* Effect.sleep(waits)
  }
})

/**
 * Reads the row. If the row allows a request, images of this generation in the store are recorded first, because the
 * journal may have been lost, or restored from an older backup in which the generation is still free.
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
    for (const store of storesOf(parts)) {
      const [manifest] = yield* Effect.mapError(store.find(id), Reasons.storeBefore)
      if (manifest === undefined) continue
      yield* Effect.mapError(parts.journal.move(id, completing(manifest)), Reasons.journalBefore)
      return yield* find
    }
    return found
  }).pipe(Effect.mapError(GradientError.fromReason))

export const storesOf = ({ spare, store }: Parts) => (spare === undefined ? [store] : [store, spare])

/** Fails if the row is of a generation with other params. */
export const checkParams = (parts: Parts, asked: string, { digest, salt }: Row): Effect.Effect<void, Reason> =>
  digest === undefined || salt === undefined || !isKnownDigest(digest)
    ? Effect.void
    : Effect.flatMap(parts.identity.digestOf(salt, asked), (own) =>
        own === digest ? Effect.void : Effect.fail(Reasons.keyReused())
      )

/** The answer that the row allows. `wait`: a request is under way. `again`: the row has changed. */
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
 * The images that the store has of an attempt in doubt, partial ones too. If the store cannot be reached, the list is
 * empty, so that the call still fails with the doubt.
 */
const imagesOf = (parts: Parts, { attempt, id, token }: Row) =>
  Effect.orElseSucceed(
    Effect.flatMap(parts.store.files(id, `${attempt}-${token}`, "any"), parts.store.images),
    () => []
  )

/** Reads the images of this key from the first store that has them. */
const fromStore = <A>(
  parts: Parts,
  read: (store: Attempts) => Effect.Effect<Option.Option<A>, StoreFailure>
): Effect.Effect<A, Reason> =>
  Effect.gen(function* () {
    for (const store of storesOf(parts)) {
      const found = yield* read(store)
      if (Option.isSome(found)) return found.value
    }
    return yield* Reasons.storeBefore({ message: "it has lost the images of this key", cause: undefined })
  }).pipe(Effect.catchTag("StoreFailure", (failure) => Effect.fail(Reasons.storeBefore(failure))))

/** The images of a generation that is done, to be read on demand. */
const openStored = (parts: Parts, { folder = "", id }: Row): Effect.Effect<Stored, Reason> =>
  Effect.map(
    fromStore(parts, ({ open }) => open(id, folder)),
    ({ images, outline }) => ({
      outline,
      images: images.map(({ read, size }) => ({
        size,
        read: (start: number, length: number) =>
          Effect.mapError(read(start, length), (failure) => GradientError.fromReason(Reasons.storeBefore(failure)))
      }))
    })
  )

/** Sends the call. `undefined`: another process got the permission first. */
const send = Effect.fnUntraced(function* (parts: Parts, images: Service, call: KeyedCall) {
  const { id, key, kind, options, params, shared } = call
  const salt = yield* parts.identity.random
  const digest = yield* parts.identity.digestOf(salt, shared.asked)
  const labels = { ...options.labels }
  const record = new AttemptRecord(parts, { id, asked: { key, salt, digest, labels } })
  call.onRecord(record)
  // The key itself may have characters that no header can carry.
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
