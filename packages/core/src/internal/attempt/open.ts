/**
 * The life of one attempt: its waits, the begins directly before its request, and one outcome.
 */
import * as Clock from "effect/Clock"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import type * as Scope from "effect/Scope"
import type { GeneratedImage } from "../../GeneratedImage.ts"
import type { GradientErrorReason } from "../../GradientError.ts"
import { Around, type Attempt, type Call, type Entry, Outcome } from "./around.ts"

/**
 * How many attempts a call has had.
 *
 * @category models
 */
export interface Counter {
  count: number
}

/**
 * An attempt whose waits have run. It ends with the first outcome that it is given.
 *
 * @category models
 */
export class OpenAttempt {
  #attempt: Attempt
  readonly #entries: ReadonlyArray<Entry>
  /** The entries that are to hear the outcome: their `wait` succeeded. */
  #waiting: ReadonlyArray<Entry> = []
  #isSent = false
  #sentAt = 0
  /** The whole body was read: the request is over, and need not be aborted when its scope closes. */
  isReplyWhole = false
  /** The images so far, for an attempt that its caller leaves. */
  images: () => ReadonlyArray<GeneratedImage> = () => []

  readonly #counter: Counter

  constructor(call: Call, counter: Counter, entries: ReadonlyArray<Entry>) {
    this.#attempt = { ...call, number: ++counter.count }
    this.#entries = entries
    this.#counter = counter
  }

  /** Whether a request was handed to the transport. */
  get isSent(): boolean {
    return this.#isSent
  }

  /** When the request was handed to the transport, in milliseconds of the Clock. */
  get sentAt(): number {
    return this.#sentAt
  }

  /** Whether an entry waits for the outcome, so that images are worth keeping for it. */
  get isObserved(): boolean {
    return this.#waiting.length > 0
  }

  /** Runs the waits, outermost first. An entry hears the outcome from the moment on that its wait succeeded. */
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
   * Runs the begins. The transport calls it directly before it sends a request. Each further request is an attempt of
   * its own: the one before is settled with `previous`, then everything runs again.
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

  /** Ends the attempt: each entry that waits hears the outcome, innermost first. Only the first outcome counts. */
  settle(outcome: Outcome): Effect.Effect<void, GradientErrorReason> {
    return Effect.suspend(() => {
      const waiting = this.#waiting
      this.#waiting = []
      if (waiting.length === 0) return Effect.void
      return Effect.forEach(waiting, ({ end }) => Effect.exit(end?.(this.#attempt, outcome) ?? Effect.void)).pipe(
        Effect.flatMap(Exit.asVoidAll),
        Effect.mapError((reason) => carrying(reason, outcome)),
        Effect.uninterruptible
      )
    })
  }

  /** Ends an attempt that failed. */
  fail(reason: GradientErrorReason): Effect.Effect<never, GradientErrorReason> {
    return Effect.andThen(this.settle(this.#outcomeOf(reason)), Effect.fail(reason))
  }

  #outcomeOf(reason: GradientErrorReason): Outcome {
    if (!this.#isSent || reason.reached === "NotSent") return Outcome.NotSent({ reason })
    const before = this.images().filter(({ bytes }) => reason.images.every((image) => image.bytes !== bytes))
    return Outcome.Failed({ reason, images: [...before, ...reason.images] })
  }

  /** Ends an attempt that has no outcome when its scope closes: its caller left it. */
  readonly leave: Effect.Effect<void> = Effect.suspend(() =>
    this.settle(this.#isSent ? Outcome.Left({ images: this.images() }) : Outcome.NotSent({ reason: undefined }))
  ).pipe(
    // Nobody is there to fail: the caller has left.
    Effect.catch((reason) => Effect.logError("The end of an attempt that was left failed", reason))
  )
}

/** What was paid for is not lost if an `end` fails: its reason gets the images. */
const carrying = (reason: GradientErrorReason, outcome: Outcome): GradientErrorReason =>
  outcome._tag === "Completed" && reason.images.length === 0
    ? Object.defineProperty(reason, "images", { value: outcome.images, enumerable: true })
    : reason

/**
 * Opens an attempt: runs its waits. It ends when the scope closes, at the latest. For those who send through
 * `GradientClient` themselves; `Images` does it for each of its requests.
 *
 * @category constructors
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
