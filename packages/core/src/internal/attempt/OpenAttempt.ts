/**
 * Runs the entries of one attempt: `wait`, then `begin` directly before the request, then `end` with the outcome.
 */
import * as Clock from "effect/Clock"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import type * as Scope from "effect/Scope"
import type { GeneratedImage } from "../../GeneratedImage.ts"
import type { GradientErrorReason } from "../../GradientError.ts"
import { Around, type Attempt, type Call, type Entry, Outcome } from "./attemptModels.ts"

/**
 * The number of attempts of a call so far.
 *
 * @category models
 * @since 0.1.0
 */
export interface Counter {
  count: number
}

/**
 * One attempt and its entries. It is settled once, with the first outcome.
 *
 * @category models
 * @since 0.1.0
 */
export class OpenAttempt {
  #attempt: Attempt
  readonly #entries: ReadonlyArray<Entry>
  /** The entries that get the outcome: their `wait` succeeded. */
  #waiting: ReadonlyArray<Entry> = []
  #isSent = false
  #sentAt = 0
  /** The whole body was read, so the request need not be aborted when its scope closes. */
  isReplyWhole = false
  /** The images decoded so far, for an outcome without a complete reply. */
  images: () => ReadonlyArray<GeneratedImage> = () => []

  readonly #counter: Counter

  constructor(call: Call, counter: Counter, entries: ReadonlyArray<Entry>) {
    this.#attempt = { ...call, number: ++counter.count }
    this.#entries = entries
    this.#counter = counter
  }

  /** Whether a request was passed to the transport. */
  get isSent(): boolean {
    return this.#isSent
  }

  /** When the request was passed to the transport, in milliseconds of the Clock. */
  get sentAt(): number {
    return this.#sentAt
  }

  /** Whether an entry will get the outcome. Only then are images kept for it. */
  get isObserved(): boolean {
    return this.#waiting.length > 0
  }

  /** Runs each `wait`, outermost first. An entry gets the outcome if its `wait` succeeded. */
  readonly wait: Effect.Effect<void, GradientErrorReason> = Effect.suspend(() =>
    Effect.forEach(
      this.#entries,
      (entry) =>
        Effect.uninterruptibleMask((restore) =>
          Effect.map(restore(entry.wait?.(this.#attempt) ?? Effect.void), () => {
            this.#waiting = [entry, ...this.#waiting]
          })
        ),
      { discard: true }
    )
  )

  /**
   * Runs each `begin`, directly before a request is sent. A second request that a transform sends is a new attempt: the
   * first one ends with the outcome `previous`, and then `wait` runs again as well.
   */
  begin(previous: () => Outcome): Effect.Effect<void, GradientErrorReason> {
    return Effect.gen({ self: this }, function* () {
      if (this.#isSent) {
        yield* this.settle(previous())
        this.#attempt = { ...this.#attempt, number: ++this.#counter.count }
        this.#isSent = false
        yield* this.wait
      }
      for (const { begin } of this.#entries) if (begin !== undefined) yield* begin(this.#attempt)
      this.#sentAt = yield* Clock.currentTimeMillis
      this.#isSent = true
    })
  }

  /** Runs each `end` with the outcome, innermost first. After the first outcome, it does nothing. */
  settle(outcome: Outcome): Effect.Effect<void, GradientErrorReason> {
    return Effect.suspend(() => {
      const waiting = this.#waiting
      this.#waiting = []
      if (waiting.length === 0) return Effect.void
      return Effect.forEach(waiting, ({ end }) => Effect.exit(end?.(this.#attempt, outcome) ?? Effect.void)).pipe(
        Effect.flatMap(Exit.asVoidAll),
        Effect.mapError((reason) => withImages(reason, outcome)),
        Effect.uninterruptible
      )
    })
  }

  /** Settles the attempt as failed, and fails with the reason. */
  fail(reason: GradientErrorReason): Effect.Effect<never, GradientErrorReason> {
    return Effect.andThen(this.settle(this.#outcomeOf(reason)), Effect.fail(reason))
  }

  #outcomeOf(reason: GradientErrorReason): Outcome {
    if (!this.#isSent || reason.reached === "NotSent") return Outcome.NotSent({ reason })
    const before = this.images().filter(({ bytes }) => reason.images.every((image) => image.bytes !== bytes))
    return Outcome.Failed({ reason, images: [...before, ...reason.images] })
  }

  /** Settles an attempt that has no outcome when its scope closes, because its caller left. */
  readonly leave: Effect.Effect<void> = Effect.suspend(() =>
    this.settle(this.#isSent ? Outcome.Left({ images: this.images() }) : Outcome.NotSent({ reason: undefined }))
  ).pipe(
    // The caller has left, so the failure can only be logged.
    Effect.catch((reason) => Effect.logError("An entry's `end` failed after the caller had left", reason))
  )
}

/** If `end` fails after `Completed`, its reason gets the images, because they are paid for. */
const withImages = (reason: GradientErrorReason, outcome: Outcome): GradientErrorReason =>
  outcome._tag === "Completed" && reason.images.length === 0
    ? Object.defineProperty(reason, "images", { value: outcome.images, enumerable: true })
    : reason

/**
 * Starts an attempt and runs each `wait`. When the scope closes, the attempt is settled if it was not before. `Images`
 * does this for each request; call it only if you send through `GradientClient.post` yourself.
 *
 * @category constructors
 * @since 0.1.0
 */
export const open = Effect.fnUntraced(function* (
  call: Call,
  counter: Counter = { count: 0 }
): Effect.fn.Return<OpenAttempt, GradientErrorReason, Scope.Scope> {
  const attempt = new OpenAttempt(call, counter, yield* Around)
  yield* Effect.addFinalizer(() => attempt.leave)
  yield* Effect.catch(attempt.wait, (reason) => attempt.fail(reason))
  return attempt
})
