/**
 * Makes `Images` durable. Callers of the same key in this process share one call, which runs in the scope of the layer.
 */
import {
  GeneratedImage,
  GradientError,
  type ImageGenerateParams,
  ImageGenerateResponse,
  ImageGenStreamEvent,
  type Images,
  ImageStream
} from "@effect-gradient/core"
import * as Cause from "effect/Cause"
import * as Deferred from "effect/Deferred"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as Fiber from "effect/Fiber"
import * as Option from "effect/Option"
import * as Scope from "effect/Scope"
import * as Stream from "effect/Stream"
import { answer, checkParams, follow } from "./answerCall.ts"
import { askedText } from "./identity.ts"
import * as Reasons from "./failureReasons.ts"
import { SharedCall } from "./SharedCall.ts"
import type { Parts, AttemptRecord } from "./AttemptRecord.ts"
import type { Stored } from "./storeModels.ts"

type Service = Images.Images["Service"]
type Options = NonNullable<Parameters<Service["generate"]>[1]>
type Params = ImageGenerateParams.ImageGenerateParamsStreaming

interface CallOptions {
  readonly drainMillis: number
  readonly checkStore: boolean
  /** Whether a call is interrupted when its last caller leaves. */
  readonly isInterrupted: boolean
}

/** What a caller asked for. */
interface Call {
  readonly kind: ImageGenerateParams.Kind
  readonly params: Params
  readonly options: Options
  readonly key: string
}

/**
 * A generation that an earlier call asked for.
 *
 * @category models
 * @since 0.1.0
 */
export interface Joined {
  /** The whole response, when the generation is done. */
  readonly response: Effect.Effect<ImageGenerateResponse.ImageGenerateResponse, GradientError.GradientError>
  /**
   * One `Completed` for each image. While a request for a stream that this process sent is under way, also partial
   * images: the newest one and those that follow, some of which a slow consumer does not get.
   */
  readonly events: Stream.Stream<ImageGenStreamEvent.ImageGenStreamEvent, GradientError.GradientError>
  /**
   * The generation in the store, if it is done. A server can read its images piece by piece, so that it need not hold
   * them in memory for callers who read slowly. `undefined` if a call with the key is under way in this process, which
   * then has the images in memory anyway.
   */
  readonly stored: Stored | undefined
}

/** A call in this process. */
interface Open {
  readonly shared: SharedCall
  record: AttemptRecord | undefined
}

/** A generation that callers of `join` wait for. `waiters` is the number of these callers. */
interface Followed {
  readonly result: Deferred.Deferred<Stored, GradientError.GradientError>
  fiber: Fiber.Fiber<unknown, unknown> | undefined
  waiters: number
}

type Ended<A> = Exit.Exit<A, GradientError.GradientError>

/**
 * Turns an interruption of the shared call into an error for its callers, because the callers themselves were not
 * interrupted.
 */
const forCallers = <A>(exit: Ended<A>, key: string, record: AttemptRecord | undefined): Ended<A> => {
  if (Exit.isSuccess(exit) || !Cause.hasInterruptsOnly(exit.cause)) return exit
  return Exit.fail(GradientError.fromReason(record?.interrupted(key) ?? Reasons.closing()))
}

const fail = (reason: GradientError.GradientErrorReason) => Effect.fail(GradientError.fromReason(reason))

const loadBytes = ({ images }: Stored, index: number) => {
  const image = images[index]
  return image === undefined ? Effect.die("the response has more images than the store") : image.read(0, image.size)
}

/** Reads the response with all its images into memory. */
const loadAll = (stored: Stored): Joined["response"] =>
  Effect.map(
    Effect.forEach(stored.outline.data, (image, index) =>
      Effect.map(loadBytes(stored, index), (bytes) => new GeneratedImage.GeneratedImage({ ...image, bytes }))
    ),
    (data) => new ImageGenerateResponse.ImageGenerateResponse({ ...stored.outline, data })
  )

/** Emits the images one after another, so that only one of them has to be in memory. */
const loadEach = (stored: Stored): Joined["events"] =>
  Stream.mapEffect(Stream.fromIterable(ImageStream.fromResponse(stored.outline).entries()), ([index, completed]) =>
    Effect.map(loadBytes(stored, index), (bytes) => new ImageGenStreamEvent.Completed({ ...completed, bytes }))
  )

export const makeCalls = Effect.fnUntraced(function* (
  parts: Parts,
  images: Service,
  { checkStore, drainMillis, isInterrupted }: CallOptions
) {
  const calls = new Map<string, Open>()
  /**
   * Generations that callers of `join` wait for, because another process or an earlier call asked for them. Callers of
   * the same key share one fiber, which reads the journal.
   */
  const followed = new Map<string, Followed>()
  const scope = yield* Scope.make()

  /** Runs the call in the scope of the layer, with the context of the call's first caller. */
  const start = (open: Open, id: string, { key, kind, options, params }: Call) => {
    const { shared } = open
    const onRecord = (record: AttemptRecord) => {
      open.record = record
    }
    const run = answer(parts, images, { id, key, kind, params, options, shared, onRecord }, checkStore).pipe(
      Effect.onExit((exit) =>
        Effect.sync(() => {
          calls.delete(id)
          shared.end(forCallers(exit, key, open.record))
        })
      )
    )
    return Effect.map(Effect.forkIn(run, scope), (fiber) => {
      shared.fiber = fiber
      return shared
    })
  }

  /**
   * Joins the call of this key, or starts one. Finding a call and starting one is a single synchronous step, so two
   * callers at the same time start only one call.
   */
  const join = (id: string, text: string, call: Call) =>
    Effect.suspend(() => {
      const joined = calls.get(id)?.shared
      if (joined !== undefined && joined.asked !== text) {
        return Effect.fail(GradientError.fromReason(Reasons.keyReused()))
      }
      if (joined !== undefined) return Effect.succeed(joined)
      if (parts.isClosing()) return Effect.fail(GradientError.fromReason(Reasons.closing()))
      const open: Open = { shared: new SharedCall(text), record: undefined }
      calls.set(id, open)
      return start(open, id, call)
    }).pipe(
      Effect.tap((shared) =>
        Effect.sync(() => {
          shared.callers++
        })
      )
    )

  const leave = (shared: SharedCall, isEnded: boolean) =>
    Effect.suspend(() => {
      shared.callers--
      return shared.callers === 0 && isEnded && shared.fiber !== undefined
        ? Effect.forkIn(Fiber.interrupt(shared.fiber), scope)
        : Effect.void
    })

  /** Joins or starts the call of this key. The caller leaves the call when the caller's scope closes. */
  const enter = Effect.fnUntraced(function* (kind: ImageGenerateParams.Kind, params: Params, options: Options) {
    const { idempotencyKey: key = "" } = options
    const id = yield* parts.identity.idOf(key)
    const text = yield* askedText(params, options)
    return yield* Effect.acquireRelease(join(id, text, { kind, params, options, key }), (shared) =>
      leave(shared, isInterrupted)
    )
  })

  const startFollowing = (id: string, key: string) =>
    Effect.suspend(() => {
      const follows: Followed = { result: Deferred.makeUnsafe(), fiber: undefined, waiters: 0 }
      followed.set(id, follows)
      const run = Effect.onExit(follow(parts, { id, key }, checkStore), (exit) =>
        Effect.sync(() => {
          if (followed.get(id) === follows) followed.delete(id)
          Deferred.doneUnsafe(follows.result, forCallers(exit, key, undefined))
        })
      )
      return Effect.map(Effect.forkIn(run, scope), (fiber) => {
        follows.fiber = fiber
        return follows
      })
    })

  /** Waits until the generation is done, and returns it from the store. */
  const waitForStored = (id: string, key: string) =>
    Effect.acquireUseRelease(
      Effect.tap(
        Effect.suspend(() => {
          const known = followed.get(id)
          if (known !== undefined) return Effect.succeed(known)
          return parts.isClosing() ? fail(Reasons.closing()) : startFollowing(id, key)
        }),
        (follows) => Effect.sync(() => follows.waiters++)
      ),
      ({ result }) => Deferred.await(result),
      (follows) =>
        Effect.suspend(() => {
          follows.waiters--
          if (follows.waiters > 0 || followed.get(id) !== follows) return Effect.void
          followed.delete(id)
          return follows.fiber === undefined ? Effect.void : Effect.forkIn(Fiber.interrupt(follows.fiber), scope)
        })
    )

  /**
   * Fails if the journal does not have this generation or has it as `free`, or if it was asked for with other params.
   */
  const checkKnown = Effect.fnUntraced(function* (id: string, asked: string) {
    const found = yield* Effect.mapError(parts.journal.find(id), (failure) =>
      GradientError.fromReason(Reasons.journalBefore(failure))
    )
    if (Option.isNone(found) || found.value.row.state === "free") return yield* fail(Reasons.unknown())
    yield* Effect.mapError(checkParams(parts, asked, found.value.row), GradientError.fromReason)
  })

  const joinStored = Effect.fnUntraced(function* (id: string, key: string, asked: string | undefined) {
    if (asked !== undefined) yield* checkKnown(id, asked)
    const stored = yield* waitForStored(id, key)
    return { response: loadAll(stored), events: loadEach(stored), stored }
  })

  /**
   * Joins the call of this key if it runs in this process, else waits for the generation that the journal has or, without
   * `params`, the store. Fails if there is none, or if it was asked for with other params. It never sends a request.
   */
  const joinKnown = Effect.fnUntraced(function* (
    key: string,
    params?: Params
  ): Effect.fn.Return<Joined, GradientError.GradientError, Scope.Scope> {
    const id = yield* parts.identity.idOf(key)
    const asked = params && (yield* askedText(params, {}))
    const known = yield* Effect.acquireRelease(
      Effect.sync(() => {
        const shared = calls.get(id)?.shared
        if (shared !== undefined) shared.callers++
        return shared
      }),
      (shared) => (shared === undefined ? Effect.void : leave(shared, isInterrupted))
    )
    if (known === undefined) return yield* joinStored(id, key, asked)
    if (asked !== undefined && known.asked !== asked) return yield* fail(Reasons.keyReused())
    return { response: known.response, events: known.events, stored: undefined }
  })

  /**
   * Interrupts the calls of which nothing was sent. Waits for the other calls for up to `drainMillis`, then interrupts
   * those too.
   */
  const drain = Effect.gen(function* () {
    const open = [...calls.values()]
    const isSent = ({ record }: Open) => record?.isSent === true
    const end = ({ shared }: Open) => (shared.fiber === undefined ? Effect.void : Fiber.interrupt(shared.fiber))
    yield* Effect.forEach(
      open.filter((call) => !isSent(call)),
      end,
      { concurrency: "unbounded", discard: true }
    )
    const sent = Effect.forEach(open.filter(isSent), ({ shared }) => shared.ended, { concurrency: "unbounded" })
    yield* Effect.ignore(Effect.timeout(sent, drainMillis))
    yield* Effect.forEach(calls.values(), end, { concurrency: "unbounded", discard: true })
    yield* parts.outcomes.flushAll
    yield* Scope.close(scope, Exit.void)
    yield* Effect.ignore(parts.lease.end)
  })
  yield* Effect.addFinalizer(() => Effect.andThen(Effect.sync(parts.close), drain))

  const service: Service = {
    generate: (params, options) =>
      options?.idempotencyKey === undefined
        ? images.generate(params, options)
        : Effect.scoped(Effect.flatMap(enter("generate", params, options), ({ response }) => response)),
    generateStream: (params, options) =>
      options?.idempotencyKey === undefined
        ? images.generateStream(params, options)
        : Stream.unwrap(Effect.map(enter("stream", params, options), ({ events }) => events))
  }
  return { service, join: joinKnown }
})
