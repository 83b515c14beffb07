/** Makes `Images` durable. Callers of one key in this process share one call, which runs in the layer's scope. */
import {
  GradientError,
  type ImageGenerateParams,
  type ImageGenerateResponse,
  type ImageGenStreamEvent,
  type Images
} from "@effect-gradient/core"
import * as Cause from "effect/Cause"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as Fiber from "effect/Fiber"
import * as Scope from "effect/Scope"
import * as Stream from "effect/Stream"
import { answer, follow } from "./answerCall.ts"
import { askedText } from "./identity.ts"
import * as Reasons from "./failureReasons.ts"
import { SharedCall } from "./SharedCall.ts"
import type { Parts, AttemptRecord } from "./AttemptRecord.ts"

type Service = Images.Images["Service"]
type Options = NonNullable<Parameters<Service["generate"]>[1]>
type Params = ImageGenerateParams.ImageGenerateParamsStreaming

interface CallOptions {
  readonly drainMillis: number
  readonly checkStore: boolean
  /** Whether a call ends when its last caller leaves. */
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
 * A generation that was asked for before.
 *
 * @category models
 * @since 0.1.0
 */
export interface Joined {
  /** The whole response. */
  readonly response: Effect.Effect<ImageGenerateResponse.ImageGenerateResponse, GradientError.GradientError>
  /** The newest partial image, later partial images, and one `Completed` for each image. */
  readonly events: Stream.Stream<ImageGenStreamEvent.ImageGenStreamEvent, GradientError.GradientError>
}

/** A call in this process. */
interface Open {
  readonly shared: SharedCall
  record: AttemptRecord | undefined
}

type Ended = Exit.Exit<ImageGenerateResponse.ImageGenerateResponse, GradientError.GradientError>

/** Turns an interruption of the shared call into an error, because the callers were not interrupted themselves. */
const forCallers = (exit: Ended, key: string, record: AttemptRecord | undefined): Ended => {
  if (Exit.isSuccess(exit) || !Cause.hasInterruptsOnly(exit.cause)) return exit
  return Exit.fail(GradientError.fromReason(record?.leftInDoubt(key) ?? Reasons.closing()))
}

export const makeCalls = Effect.fnUntraced(function* (
  parts: Parts,
  images: Service,
  { checkStore, drainMillis, isInterrupted }: CallOptions
) {
  const calls = new Map<string, Open>()
  /**
   * Generations that callers here only wait for: another process or an earlier call asked for them. All callers of a
   * key share the reads of the journal.
   */
  const followed = new Map<string, SharedCall>()
  const scope = yield* Scope.make()

  /** Runs the call in the layer's scope, with the context of its first caller. */
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
   * Joins the call of this key, or starts it. To find a call and to start one is a single step, so two callers never
   * start two calls.
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

  /** The call of this key, which the caller leaves when the scope closes. */
  const enter = Effect.fnUntraced(function* (kind: ImageGenerateParams.Kind, params: Params, options: Options) {
    const { idempotencyKey: key = "" } = options
    const id = yield* parts.identity.idOf(key)
    const text = yield* askedText(params, options)
    return yield* Effect.acquireRelease(join(id, text, { kind, params, options, key }), (shared) =>
      leave(shared, isInterrupted)
    )
  })

  /** Waits for a generation. Its answer is kept until the last caller has left. */
  const startFollowing = (id: string, key: string) =>
    Effect.suspend(() => {
      const shared = new SharedCall("")
      followed.set(id, shared)
      const run = Effect.onExit(follow(parts, { id, key }, checkStore), (exit) =>
        Effect.sync(() => {
          if (Exit.isFailure(exit) && followed.get(id) === shared) followed.delete(id)
          shared.end(forCallers(exit, key, undefined))
        })
      )
      return Effect.map(Effect.forkIn(run, scope), (fiber) => {
        shared.fiber = fiber
        return shared
      })
    })

  /** The call of this key in this process, else the one that the journal knows. It never sends a request. */
  const joinKnown = Effect.fnUntraced(function* (key: string) {
    const id = yield* parts.identity.idOf(key)
    const enterKnown = Effect.suspend(() => {
      const known = calls.get(id)?.shared ?? followed.get(id)
      if (known === undefined && parts.isClosing()) return Effect.fail(GradientError.fromReason(Reasons.closing()))
      return known === undefined ? startFollowing(id, key) : Effect.succeed(known)
    })
    const shared = yield* Effect.acquireRelease(
      Effect.tap(enterKnown, (known) => Effect.sync(() => known.callers++)),
      (known) => {
        const isFollowed = followed.get(id) === known
        if (isFollowed && known.callers === 1) followed.delete(id)
        return leave(known, isFollowed || isInterrupted)
      }
    )
    const joined: Joined = { response: shared.response, events: shared.events }
    return joined
  })

  /** Waits for calls with a request under way, and ends the others. */
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
