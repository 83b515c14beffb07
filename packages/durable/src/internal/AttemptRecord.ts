/**
 * Records each attempt of one call in the journal. Directly before the request it asks the journal for the permission
 * to send, and after the request it stores the images, and then writes the outcome.
 */
import type { Attempt } from "@effect-gradient/core"
import { type GeneratedImage, type GradientError } from "@effect-gradient/core"
import * as Effect from "effect/Effect"
import * as Option from "effect/Option"
import * as Schedule from "effect/Schedule"
import type { GenerationJournal } from "../GenerationJournal.ts"
import type { Identity } from "./identity.ts"
import type { Lease, Moment } from "./lease.ts"
import { type Asked, Move, type Row } from "./stateMachine.ts"
import { type Attempts, completing, folderOf, type Kept } from "./manifest.ts"
import type { Outcomes } from "./outcomeWriter.ts"
import * as Reasons from "./failureReasons.ts"

type Reason = GradientError.GradientErrorReason
type Completed = Extract<Attempt.Outcome, { _tag: "Completed" }>

/** The services and options that all generations of a layer share. */
export interface Parts {
  readonly journal: GenerationJournal["Service"]
  readonly identity: Identity
  readonly lease: Lease
  readonly outcomes: Outcomes
  readonly store: Attempts
  readonly spare: Attempts | undefined
  readonly keepParams: boolean
  /** Whether the layer is closing. A closing layer sends no new request. */
  readonly isClosing: () => boolean
  readonly close: () => void
}

/** The call that an attempt belongs to. */
export interface Sent {
  readonly id: string
  /** What the caller asked for, without model and n, which only the attempt knows. */
  readonly asked: Omit<Asked, "model" | "n">
}

/**
 * For this many milliseconds the journal is asked again if it does not answer before a request. If a third of the lease
 * is shorter, that is used instead.
 */
const patienceMillis = 10_000

/** Makes the entry of `Attempt.Around` that records the attempts of one call. */
export class AttemptRecord {
  readonly #parts: Parts
  readonly #call: Sent
  /** The attempt that has a permission to send and no outcome yet. */
  #open: Kept | undefined
  /** Whether the journal refused the permission to send because the generation is no longer free. */
  isRefused = false
  /** The attempt that got a permission to send, unless the permission was given back because nothing was charged for. */
  #sent: Kept | undefined
  #sentAt = 0

  constructor(parts: Parts, call: Sent) {
    this.#parts = parts
    this.#call = call
  }

  /** Whether a request may be under way or have been charged for. This includes the time in which images are stored. */
  get isSent(): boolean {
    return this.#sent !== undefined
  }

  /** The error if the call is interrupted before its caller gets an outcome. `undefined` if nothing was sent. */
  interrupted(key: string): GradientError.InDoubtError | undefined {
    if (this.#sent === undefined) return undefined
    return Reasons.inDoubt(key, {
      attempt: this.#sent.attempt,
      note: "the call was interrupted after its request was sent",
      sentAt: this.#sentAt,
      state: "doubt"
    })
  }

  get entry(): Attempt.Entry {
    return {
      begin: (attempt) => Effect.uninterruptible(this.#begin(attempt)),
      end: (_attempt, outcome) => this.#end(outcome)
    }
  }

  readonly #begin = (attempt: Attempt.Attempt): Effect.Effect<void, Reason> =>
    Effect.gen({ self: this }, function* () {
      const { identity, isClosing, lease } = this.#parts
      this.isRefused = false
      if (isClosing()) return yield* Reasons.closing()
      const { model, n } = attempt.params
      const token = yield* identity.random
      const asked = { ...this.#call.asked, model, n }
      const at = yield* lease.now
      const row = yield* this.#ask(
        Move.Begin({ ...asked, token, holder: lease.holder, leaseMillis: lease.leaseMillis })
      )
      if (Option.isNone(row)) {
        this.isRefused = true
        return yield* Reasons.conflict("the generation is no longer free")
      }
      const params = this.#parts.keepParams ? attempt.params : undefined
      this.#sentAt = row.value.sentAt
      this.#open = this.#sent = { id: this.#call.id, attempt: row.value.attempt, token, asked, params }
      return yield* this.#check(at)
    })

  /**
   * Asks the journal for the permission to send. If the journal does not answer, the same statement with the same token
   * is repeated for up to `patience` milliseconds. If it still does not answer, nothing is sent.
   */
  #ask(move: Extract<Move, { _tag: "Begin" }>): Effect.Effect<Option.Option<Row>, Reason> {
    const { journal, lease, outcomes } = this.#parts
    const { id } = this.#call
    const patience = Math.min(patienceMillis, lease.leaseMillis / 3)
    return Effect.andThen(outcomes.flush(id), journal.move(id, move)).pipe(
      Effect.retry({
        while: ({ isRetryable }) => isRetryable,
        schedule: Schedule.spaced("250 millis").pipe(Schedule.upTo({ duration: patience }))
      }),
      Effect.catch((failure) =>
        Effect.andThen(
          outcomes.write(id, Move.Release({ token: move.token, note: "JournalError" })),
          Reasons.journalBefore(failure)
        )
      )
    )
  }

  /**
   * Checks the lease directly before the request. If this process has stalled for too long, other processes may
   * assume that it was killed, so nothing is sent.
   */
  #check(asked: Moment): Effect.Effect<void, Reason> {
    return Effect.flatMap(this.#parts.lease.isFresh(asked), (isFresh) =>
      isFresh
        ? Effect.void
        : Reasons.journalBefore({ message: "more than half of this process's lease has passed", cause: undefined })
    )
  }

  readonly #end = (outcome: Attempt.Outcome): Effect.Effect<void, Reason> =>
    Effect.suspend(() => {
      const open = this.#open
      this.#open = undefined
      if (open === undefined) return Effect.void
      switch (outcome._tag) {
        case "NotSent":
          return this.#release(open, outcome.reason?._tag ?? "interrupted")
        case "Completed":
          return this.#complete(open, outcome)
        case "Left":
          return this.#doubt(open, "interrupted", outcome.images)
        case "Failed":
          return outcome.reason.mayHaveBeenCharged
            ? Effect.andThen(
                this.#doubt(open, outcome.reason._tag, outcome.images),
                // A retry would need another permission, which the journal refuses for a generation in doubt.
                Effect.fail(Object.assign(outcome.reason, { shouldRetry: false }))
              )
            : this.#release(open, outcome.reason._tag)
      }
    })

  #release({ id, token }: Kept, note: string): Effect.Effect<void> {
    return Effect.map(this.#parts.outcomes.write(id, Move.Release({ token, note })), () => {
      this.#sent = undefined
    })
  }

  #doubt(open: Kept, note: string, images: ReadonlyArray<GeneratedImage.GeneratedImage>): Effect.Effect<void> {
    const kept = this.#parts.store.keepPartial(open, images).pipe(
      Effect.tapError(({ message }) =>
        Effect.logError(`Not all images of an attempt in doubt could be stored: ${message}`)
      ),
      Effect.orElseSucceed(() => 0)
    )
    return Effect.flatMap(kept, (count) =>
      this.#parts.outcomes.write(open.id, Move.Doubt({ token: open.token, note, images: count }))
    )
  }

  #complete(open: Kept, { images, response }: Completed): Effect.Effect<void, Reason> {
    if (response === undefined) return this.#doubt(open, "no images were decoded", images)
    return Effect.matchEffect(this.#keep(open, response), {
      onSuccess: (manifest) =>
        Effect.flatMap(this.#parts.outcomes.write(open.id, completing(manifest)), (row) =>
          row !== undefined && Option.isNone(row) ? this.#extra(open) : Effect.void
        ),
      onFailure: (failure) =>
        Effect.flatMap(
          this.#parts.outcomes.write(open.id, Move.Doubt({ token: open.token, note: "StoreError", images: 0 })),
          (row) =>
            Effect.fail(row === undefined ? Reasons.journalAfter(failure, images) : Reasons.storeAfter(failure, images))
        )
    })
  }

  /** Writes the images to the store. If that fails and a spare store is set, writes them to the spare store. */
  #keep(open: Kept, response: NonNullable<Completed["response"]>) {
    const { spare, store } = this.#parts
    const written = store.write(open, response)
    if (spare === undefined) return written
    return written.pipe(
      Effect.tapError(({ message }) =>
        Effect.logError(`The images could not be written to the store, so the spare store is tried: ${message}`)
      ),
      Effect.catch(() => spare.write(open, response))
    )
  }

  /**
   * Handles an attempt whose images arrived after its generation was already done, expired or erased. If the generation
   * was erased, the images are removed, because erased content must not come back. Otherwise they are listed as extra
   * images, unless another process has already made them the result.
   */
  #extra({ id, ...attempt }: Kept): Effect.Effect<void> {
    const { journal, outcomes } = this.#parts
    const folder = folderOf(attempt)
    return journal.find(id).pipe(
      Effect.flatMap((found) =>
        Option.isSome(found) && found.value.row.state === "expired" && found.value.row.key === undefined
          ? this.#removeFolder(`${id}/${folder}`)
          : Effect.asVoid(outcomes.write(id, Move.Extra({ folder })))
      ),
      Effect.catch(({ message }) =>
        Effect.logError(`Images that arrived late may be in the store, and are not in the journal: ${message}`)
      )
    )
  }

  #removeFolder(folder: string) {
    const { spare, store } = this.#parts
    const stores = spare === undefined ? [store] : [store, spare]
    return Effect.forEach(stores, ({ remove }) => remove(folder), { discard: true })
  }
}
