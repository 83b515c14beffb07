/**
 * Runs the functions of each `Entry` around one attempt: `wait`, then `begin` directly before the request, `event` for
 * each event of a stream, then `end` with the outcome.
 *
 * Each attempt has a span, `Images.attempt`, which starts before the first `wait` and ends after the last `end`.
 * `Effect.withSpan` cannot create this span, because the span would end with the effect that opens a stream, at the
 * first event. The attempt ends later, while the caller reads.
 */
import * as Clock from "effect/Clock"
import * as Context from "effect/Context"
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as Option from "effect/Option"
import type * as Scope from "effect/Scope"
import * as Tracer from "effect/Tracer"
import type { GeneratedImage } from "../../GeneratedImage.ts"
import type { FailedAttempt, GradientErrorReason } from "../../GradientError.ts"
import type { ImageGenStreamEvent } from "../../ImageGenStreamEvent.ts"
import { Around, type Attempt, type Call, type Entry, Outcome } from "./attemptModels.ts"

/**
 * The number of attempts of a call so far, and those that failed.
 *
 * @category models
 * @since 0.1.0
 */
export interface Counter {
  count: number
  readonly failed: Array<FailedAttempt>
}

/**
 * A request that a transform repeats: its outcome, and the reason for which it counts as failed.
 *
 * @category models
 * @since 0.1.0
 */
export interface Repeated {
  readonly outcome: Outcome
  readonly reason: GradientErrorReason
}

const startSpan = (attempt: number, parent?: Tracer.AnySpan) =>
  Effect.makeSpan("Images.attempt", { attributes: { attempt }, parent })

/** The Exit with which the span of an attempt ends if no `end` fails. If the caller left, it is an interruption. */
const exitOf = (outcome: Outcome): Exit.Exit<void, GradientErrorReason> => {
  if (outcome._tag === "Completed") return Exit.void
  const reason = outcome._tag === "Left" ? undefined : outcome.reason
  return reason === undefined ? Exit.interrupt() : Exit.fail(reason)
}

/**
 * One attempt and the entries that run around it. The first outcome settles the attempt; later outcomes are ignored. If
 * a transform sends a second request, the object then represents the attempt of that request.
 *
 * @category models
 * @since 0.1.0
 */
export class OpenAttempt {
  #attempt: Attempt
  readonly #entries: ReadonlyArray<Entry>
  /** The entries whose `wait` succeeded. Only these get the outcome. */
  #waiting: ReadonlyArray<Entry> = []
  #span: Tracer.Span
  #isSettled = false
  #isSent = false
  #startedAt = 0
  #sentAt = 0
  /**
   * Whether no more of the reply is needed. If so, the request is not aborted when its scope closes: closing the body
   * ends the request.
   */
  isReplyWhole = false
  /** Returns the images that were decoded and kept so far, for the outcome of an attempt without a complete reply. */
  images: () => ReadonlyArray<GeneratedImage> = () => []

  readonly #counter: Counter

  constructor(attempt: Attempt, counter: Counter, entries: ReadonlyArray<Entry>, span: Tracer.Span) {
    this.#attempt = attempt
    this.#entries = entries
    this.#counter = counter
    this.#span = span
  }

  /** Whether the request was passed to the transport. */
  get isSent(): boolean {
    return this.#isSent
  }

  /** When the request was passed to the transport, in milliseconds of the Clock. 0 if no request was. */
  get sentAt(): number {
    return this.#sentAt
  }

  /** Whether an entry needs the images of a stream. If none does, the images are not kept until the outcome. */
  get keepsImages(): boolean {
    return this.#waiting.some(({ end, needsImages }) => end !== undefined && needsImages !== false)
  }

  /** Runs an effect within the span of the attempt. */
  readonly within = <A, E, R>(effect: Effect.Effect<A, E, R>): Effect.Effect<A, E, R> =>
    Effect.updateContext(effect, (context: Context.Context<R>) => Context.add(context, Tracer.ParentSpan, this.#span))

  /**
   * Runs the `wait` of each entry, the outermost layer's first. An entry gets the outcome only if its `wait` succeeded.
   */
  readonly wait: Effect.Effect<void, GradientErrorReason> = Effect.flatMap(Clock.currentTimeMillis, (now) => {
    this.#startedAt = now
    return Effect.forEach(
      this.#entries,
      (entry) =>
        Effect.uninterruptibleMask((restore) =>
          Effect.map(restore(entry.wait?.(this.#attempt) ?? Effect.void), () => {
            this.#waiting = [entry, ...this.#waiting]
          })
        ),
      { discard: true }
    )
  }).pipe(this.within)

  /**
   * Runs the `begin` of each entry, directly before a request is sent. If a transform sends a second request, a new
   * attempt starts: the first attempt ends with the outcome in `previous` and counts as failed, and each `wait` runs
   * again before `begin`.
   */
  begin(previous: Effect.Effect<Repeated>): Effect.Effect<void, GradientErrorReason> {
    return Effect.gen({ self: this }, function* () {
      if (this.#isSent) {
        const { outcome, reason } = yield* previous
        yield* this.settle(outcome)
        const elapsed = Duration.millis((yield* Clock.currentTimeMillis) - this.#startedAt)
        this.#counter.failed.push({ reason, elapsed })
        this.#attempt = { ...this.#attempt, number: ++this.#counter.count }
        this.#isSent = false
        this.#isSettled = false
        this.#span = yield* startSpan(this.#attempt.number, Option.getOrUndefined(this.#span.parent))
        yield* this.wait
      }
      for (const { begin } of this.#entries) if (begin !== undefined) yield* this.within(begin(this.#attempt))
      this.#sentAt = yield* Clock.currentTimeMillis
      this.#isSent = true
    })
  }

  /** Passes the events of a stream to the entries. */
  notify(events: ReadonlyArray<ImageGenStreamEvent>): Effect.Effect<void> {
    const listeners = this.#waiting.flatMap(({ event }) => event ?? [])
    if (listeners.length === 0) return Effect.void
    const calls = events.flatMap((event) => listeners.map((listen) => listen(this.#attempt, event)))
    return this.within(Effect.all(calls, { discard: true }))
  }

  /**
   * Runs the `end` of each entry whose `wait` succeeded, the innermost layer's first, then ends the span. Does nothing
   * if the attempt already has an outcome.
   */
  settle(outcome: Outcome): Effect.Effect<void, GradientErrorReason> {
    return Effect.suspend(() => {
      if (this.#isSettled) return Effect.void
      this.#isSettled = true
      const span = this.#span
      return this.#runEnds(outcome).pipe(
        Effect.onExit((exit) =>
          Effect.map(Clock.currentTimeNanos, (now) => span.end(now, Exit.isFailure(exit) ? exit : exitOf(outcome)))
        )
      )
    }).pipe(Effect.uninterruptible)
  }

  #runEnds(outcome: Outcome): Effect.Effect<void, GradientErrorReason> {
    const waiting = this.#waiting
    this.#waiting = []
    if (waiting.length === 0) return Effect.void
    return Effect.forEach(waiting, ({ end }) => Effect.exit(end?.(this.#attempt, outcome) ?? Effect.void)).pipe(
      Effect.flatMap(Exit.asVoidAll),
      Effect.mapError((reason) => withImages(reason, outcome)),
      this.within
    )
  }

  /**
   * Settles the attempt as `Failed`, or as `NotSent` if nothing was sent, and fails with the reason. If an `end` fails,
   * the failure is that of the `end`.
   */
  fail(reason: GradientErrorReason): Effect.Effect<never, GradientErrorReason> {
    return Effect.andThen(this.settle(this.#outcomeOf(reason)), Effect.fail(reason))
  }

  #outcomeOf(reason: GradientErrorReason): Outcome {
    if (!this.#isSent || reason.reached === "NotSent") return Outcome.NotSent({ reason })
    const before = this.images().filter(({ bytes }) => reason.images.every((image) => image.bytes !== bytes))
    return Outcome.Failed({ reason, images: [...before, ...reason.images] })
  }

  /**
   * Settles an attempt that still has no outcome when its scope closes. For example, the caller was interrupted or
   * stopped reading.
   */
  readonly leave: Effect.Effect<void> = Effect.suspend(() =>
    this.settle(this.#isSent ? Outcome.Left({ images: this.images() }) : Outcome.NotSent({ reason: undefined }))
  ).pipe(
    // The caller has left, so nobody receives the failure. It is only logged.
    Effect.catch((reason) =>
      Effect.logError("`end` of an Attempt entry failed after the caller of the request had left", reason)
    )
  )
}

/**
 * If an `end` failed after `Completed`, adds the images of the outcome to its reason, unless the reason has images. The
 * caller pays for them.
 */
const withImages = (reason: GradientErrorReason, outcome: Outcome): GradientErrorReason =>
  outcome._tag === "Completed" && reason.images.length === 0
    ? Object.defineProperty(reason, "images", { value: outcome.images, enumerable: true })
    : reason

/**
 * Starts an attempt and runs each `wait`. When the scope closes, an attempt without an outcome is settled. `Images`
 * calls `open` itself; call it only if you send requests through `GradientClient.post`.
 *
 * @category constructors
 * @since 0.1.0
 */
export const open = Effect.fnUntraced(function* (
  call: Call,
  counter: Counter = { count: 0, failed: [] }
): Effect.fn.Return<OpenAttempt, GradientErrorReason, Scope.Scope> {
  const number = ++counter.count
  const attempt = new OpenAttempt({ ...call, number }, counter, yield* Around, yield* startSpan(number))
  yield* Effect.addFinalizer(() => attempt.leave)
  yield* Effect.catch(attempt.wait, (reason) => attempt.fail(reason))
  return attempt
})
