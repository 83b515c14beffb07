/**
 * One runner of a batch. It calls `generate` for each request that is not settled, in random order. Other runners do
 * the same, each in its own order. The journal decides which runner sends a request. A runner skips a request that
 * another one is sending, and looks at it again later.
 */
import type { Images } from "@effect-gradient/core"
import { GradientError } from "@effect-gradient/core"
import * as Effect from "effect/Effect"
import * as Option from "effect/Option"
import * as Random from "effect/Random"
import * as Stream from "effect/Stream"
import type { GenerationJournal } from "../../GenerationJournal.ts"
import type { ImageStore } from "../../ImageStore.ts"
import type { Identity } from "../identity.ts"
import type { Found } from "../journalModels.ts"
import { repeated } from "../stateMachine.ts"
import * as Reasons from "../failureReasons.ts"
import { type Checked, linesInPart } from "./check.ts"
import { readPart } from "./copy.ts"
import type { Request } from "./line.ts"

export interface Parts {
  readonly journal: GenerationJournal["Service"]
  readonly store: ImageStore["Service"]
  readonly identity: Identity
  readonly images: Images.Images["Service"]
}

export interface Batch extends Checked {
  readonly name: string
  readonly concurrency: number
  /** Whether requests that were refused in an earlier run are sent once more. */
  readonly isRetrying: boolean
}

/** The idempotency key of a request. */
export const keyOf = (name: string, id: string): string => `${name}/${id}`

/**
 * Failures that most other requests of the batch would have too, such as a wrong model access key or no credit. The
 * runner stops, and the batch can be continued after the cause was corrected. An unknown model also stops the runner,
 * although other lines may name other models.
 */
const stopping: ReadonlySet<string> = new Set([
  "AuthenticationError",
  "PermissionDeniedError",
  "QuotaExceededError",
  "NotFoundError"
])

/**
 * Whether this failure stops the runner. Those in `stopping` do. A failure to store or record images does, because the
 * images of further requests would be paid for and lost too. So does a key of a generation with other params, because
 * no later pass changes that.
 */
const isStopping = ({ mayHaveBeenCharged, reason: { _tag, code } }: GradientError.GradientError): boolean =>
  stopping.has(_tag) ||
  code === Reasons.keyReusedCode ||
  (mayHaveBeenCharged && (_tag === "StoreError" || _tag === "JournalError"))

/** Failures of a single request. Sending the same request again would most likely fail in the same way. */
const refusals: ReadonlySet<string> = new Set([
  "BadRequestError",
  "ContentPolicyError",
  "InvalidParamsError",
  "UnprocessableEntityError"
])

/**
 * What the runner does with a request. `ask`: calls `generate` for it. `settled`: nothing, because the request has an
 * outcome. `later`: looks at it again in the next pass, because another runner is sending it.
 */
type Look = "ask" | "settled" | "later"

const lookAt = (found: Option.Option<Found>, isRetrying: boolean): Look => {
  if (Option.isNone(found)) return "ask"
  const { isLapsed, row } = found.value
  if (row.state === "sending" && !isLapsed) return "later"
  // `generate` sends no request for these. It completes the row if a store has all images of the request.
  if (row.state === "sending" || row.state === "doubt") return "ask"
  if (row.state !== "free") return "settled"
  const isRefused = row.note !== undefined && row.note !== repeated && refusals.has(row.note)
  return isRefused && !isRetrying ? "settled" : "ask"
}

/**
 * After more than this many passes in a row in which no request got an outcome, the runner fails if the last of these
 * passes had a failure that gave its request no outcome.
 */
const mostIdlePasses = 30

/** The longest wait between two passes. */
const longestPauseSeconds = 20

class Runner {
  readonly #parts: Parts
  readonly #batch: Batch
  /** Is 1 at the index of each request that has an outcome: done, expired, refused, in doubt or abandoned. */
  readonly #settled: Uint8Array
  #settledCount = 0
  /** The last failure of the current pass that gave its request no outcome. */
  #passing: GradientError.GradientError | undefined

  constructor(parts: Parts, batch: Batch) {
    this.#parts = parts
    this.#batch = batch
    this.#settled = new Uint8Array(batch.total)
  }

  #settle(index: number): void {
    if (this.#settled[index] === 1) return
    this.#settled[index] = 1
    this.#settledCount++
  }

  /** Looks at a request, and does with it what `Look` describes. */
  #ask(index: number, { id, params }: Request): Effect.Effect<void, GradientError.GradientError> {
    const { identity, images, journal } = this.#parts
    const { isRetrying, name } = this.#batch
    const key = keyOf(name, id)
    return Effect.gen({ self: this }, function* () {
      const found = yield* Effect.mapError(journal.find(yield* identity.idOf(key)), (failure) =>
        GradientError.fromReason(Reasons.journalBefore(failure))
      )
      const look = lookAt(found, isRetrying)
      if (look === "settled") return this.#settle(index)
      if (look === "later") return
      yield* images.generate(params, { idempotencyKey: key, labels: { batch: name } })
      this.#settle(index)
    }).pipe(Effect.catch((error) => this.#failed(index, error)))
  }

  #failed(index: number, error: GradientError.GradientError): Effect.Effect<void, GradientError.GradientError> {
    const { _tag } = error.reason
    if (isStopping(error)) return Effect.fail(error)
    return Effect.sync(() => {
      if (error.mayHaveBeenCharged || refusals.has(_tag)) this.#settle(index)
      else this.#passing = error
    })
  }

  /** The requests of one part that have no outcome yet, in random order. */
  #partOf(part: number) {
    const { identity, store } = this.#parts
    const first = part * linesInPart
    const isOpen = this.#settled.subarray(first, first + linesInPart).includes(0)
    if (!isOpen) return Effect.succeed([])
    return readPart(store, identity, this.#batch, part).pipe(
      Effect.map((requests) =>
        requests.flatMap((request, at) => (this.#settled[first + at] === 1 ? [] : [{ index: first + at, request }]))
      ),
      Effect.flatMap(Random.shuffle),
      Effect.catch((error) => {
        this.#passing = error
        return Effect.succeed([])
      })
    )
  }

  /** Makes one pass over the batch, with one `#ask` for each request that has no outcome. */
  #look(): Effect.Effect<void, GradientError.GradientError> {
    const parts = Array.from({ length: Math.ceil(this.#batch.total / linesInPart) }, (_, part) => part)
    return Stream.fromIterableEffect(Random.shuffle(parts)).pipe(
      Stream.flatMap((part) => Stream.fromIterableEffect(this.#partOf(part))),
      Stream.mapEffect(({ index, request }) => this.#ask(index, request), {
        concurrency: this.#batch.concurrency,
        unordered: true
      }),
      Stream.runDrain
    )
  }

  /**
   * Runs passes until every request has an outcome. Fails with a failure that stops the runner, or with the last other
   * failure after many passes without progress.
   */
  readonly run: Effect.Effect<void, GradientError.GradientError> = Effect.gen({ self: this }, function* () {
    for (let idle = 0; this.#settledCount < this.#batch.total;) {
      const before = this.#settledCount
      this.#passing = undefined
      yield* this.#look()
      if (this.#settledCount === this.#batch.total) return
      idle = this.#settledCount > before ? 0 : idle + 1
      if (this.#passing !== undefined && idle > mostIdlePasses) return yield* Effect.fail(this.#passing)
      yield* Effect.sleep(`${Math.min(1 + idle, longestPauseSeconds)} seconds`)
    }
  })
}

/** Runs until every request of the batch has an outcome. The outcome may come from another runner. */
export const run = (parts: Parts, batch: Batch): Effect.Effect<void, GradientError.GradientError> =>
  Effect.suspend(() => new Runner(parts, batch).run)
