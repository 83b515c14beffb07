/**
 * `Images` with a record: callers of one key in this process share one call, which runs in the layer's scope.
 */
import { GradientError, type ImageGenerateParams, type ImageGenerateResponse, type Images } from "@effect-gradient/core"
import * as Cause from "effect/Cause"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as Fiber from "effect/Fiber"
import * as Scope from "effect/Scope"
import * as Stream from "effect/Stream"
import { answer } from "./asking.ts"
import { askedText } from "./identity.ts"
import * as Reasons from "./reasons.ts"
import { Running } from "./running.ts"
import type { Parts, Sending } from "./sending.ts"

type Service = Images.Images["Service"]
type Options = NonNullable<Parameters<Service["generate"]>[1]>
type Params = ImageGenerateParams.ImageGenerateParamsStreaming

interface CallOptions {
  readonly drainMillis: number
  readonly checkStore: boolean
  /** Whether a call ends when its last caller leaves. */
  readonly isInterrupted: boolean
}

/** A call in this process. */
interface Open {
  readonly running: Running
  sending: Sending | undefined
}

const failed = (cause: Cause.Cause<GradientError.GradientError>): GradientError.GradientError => {
  const failure = cause.reasons.find(Cause.isFailReason)
  return failure === undefined ? GradientError.fromReason(Reasons.closing()) : failure.error
}

/** Callers get an error rather than the interruption of a fiber that is not theirs. A defect stays one. */
const forCallers = (
  exit: Exit.Exit<ImageGenerateResponse.ImageGenerateResponse, GradientError.GradientError>
): Exit.Exit<ImageGenerateResponse.ImageGenerateResponse, GradientError.GradientError> =>
  Exit.isFailure(exit) && !Cause.hasDies(exit.cause) ? Exit.fail(failed(exit.cause)) : exit

export const makeCalls = Effect.fnUntraced(function* (
  parts: Parts,
  images: Service,
  { checkStore, drainMillis, isInterrupted }: CallOptions
) {
  const calls = new Map<string, Open>()
  const scope = yield* Scope.make()

  const start = (id: string, kind: ImageGenerateParams.Kind, params: Params, key: string, options: Options, text: string) =>
    Effect.gen(function* () {
      const running = new Running(text)
      const open: Open = { running, sending: undefined }
      calls.set(id, open)
      const onSending = (sending: Sending) => {
        open.sending = sending
      }
      const run = answer(parts, images, { id, key, kind, params, options, running, onSending }, checkStore).pipe(
        Effect.onExit((exit) =>
          Effect.sync(() => {
            calls.delete(id)
            running.end(forCallers(exit))
          })
        )
      )
      running.fiber = yield* Effect.forkIn(run, scope, { startImmediately: true })
      return running
    })

  /** Joins the call of this key, or starts it. It is left when the scope closes. */
  const enter = Effect.fnUntraced(function* (kind: ImageGenerateParams.Kind, params: Params, options: Options) {
    const id = yield* parts.identity.idOf(options.idempotencyKey)
    const text = yield* askedText(params, options)
    const joined = calls.get(id)?.running
    if (joined !== undefined && joined.asked !== text) return yield* GradientError.fromReason(Reasons.keyReused())
    if (joined === undefined && parts.isClosing()) return yield* GradientError.fromReason(Reasons.closing())
    const enterNow = Effect.gen(function* () {
      const running = joined ?? (yield* start(id, kind, params, options.idempotencyKey ?? "", options, text))
      running.callers++
      return running
    })
    return yield* Effect.acquireRelease(enterNow, (running) => {
      running.callers--
      return running.callers === 0 && isInterrupted && running.fiber !== undefined
        ? Effect.forkIn(Fiber.interrupt(running.fiber), scope)
        : Effect.void
    })
  })

  /** Waits for what was sent, and ends the rest. */
  const drain = Effect.gen(function* () {
    const open = [...calls.values()]
    const isSent = ({ sending }: Open) => sending?.isSent === true
    const end = ({ running }: Open) => (running.fiber === undefined ? Effect.void : Fiber.interrupt(running.fiber))
    yield* Effect.forEach(open.filter((call) => !isSent(call)), end, { concurrency: "unbounded", discard: true })
    const sent = Effect.forEach(open.filter(isSent), ({ running }) => running.ended, { concurrency: "unbounded" })
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
  return service
})
