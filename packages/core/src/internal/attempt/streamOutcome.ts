/**
 * Decides the outcome of a stream's attempt from its events. The stream's Exit cannot decide it: a stream that the
 * caller stops reading early exits with success.
 */
import * as Arr from "effect/Array"
import * as Cause from "effect/Cause"
import * as Clock from "effect/Clock"
import * as Effect from "effect/Effect"
import * as Pull from "effect/Pull"
import { GeneratedImage } from "../../GeneratedImage.ts"
import type { GradientErrorReason } from "../../GradientError.ts"
import type { Usage } from "../../ImageGenerateResponse.ts"
import type { Completed, ImageGenStreamEvent } from "../../ImageGenStreamEvent.ts"
import { responseOfCompleted } from "../reply/decodeReply.ts"
import type { Events } from "../reply/readReply.ts"
import { Outcome } from "./attemptModels.ts"
import type { OpenAttempt } from "./OpenAttempt.ts"

type EventsPull = Pull.Pull<Events, GradientErrorReason>

/** Settles the attempt before the consumer gets the last requested image, or when the stream ends or fails. */
export const settleByEvents = (attempt: OpenAttempt, n: number, pull: EventsPull): EventsPull => {
  const arrived = new Arrived(attempt.keepsImages)
  attempt.images = () => arrived.images
  const complete = Effect.flatMap(Clock.currentTimeMillis, (now) => attempt.settle(arrived.outcome(now)))
  return Effect.uninterruptibleMask((restore) =>
    Pull.matchEffect(restore(pull), {
      onSuccess: (events): EventsPull => {
        for (const event of events) arrived.add(event)
        const settled = arrived.count < n ? Effect.void : complete
        return Effect.as(Effect.andThen(attempt.notify(events), settled), events)
      },
      // A stream that ends with fewer images than requested is complete too. If it ended within an image, readEvents
      // fails.
      onDone: (): EventsPull => Effect.andThen(complete, Cause.done()),
      onFailure: (cause): EventsPull => {
        const failure = cause.reasons.find(Cause.isFailReason)
        return failure === undefined ? Effect.failCause(cause) : attempt.fail(failure.error)
      }
    })
  )
}

/** The images of a stream so far. They are kept only if an entry needs them, because images may be large. */
class Arrived {
  count = 0
  usage: Usage | undefined
  readonly #completed: Array<Completed> = []
  #partial: GeneratedImage | undefined
  readonly #keeps: boolean

  constructor(keeps: boolean) {
    this.#keeps = keeps
  }

  get images(): ReadonlyArray<GeneratedImage> {
    const completed = this.#completed.map(
      ({ bytes, outputFormat, revisedPrompt }) => new GeneratedImage({ bytes, outputFormat, revisedPrompt })
    )
    return this.#partial === undefined ? completed : [...completed, this.#partial]
  }

  /**
   * The outcome `Completed` with the complete images so far, or without images if none are kept. `arrivedAt` is the
   * current time in milliseconds.
   */
  outcome(arrivedAt: number): Outcome {
    if (!Arr.isReadonlyArrayNonEmpty(this.#completed)) return Outcome.Completed({ images: [], usage: this.usage })
    const response = responseOfCompleted(this.#completed, { arrivedAt })
    return Outcome.Completed({ images: response.data, usage: this.usage, response })
  }

  add(event: ImageGenStreamEvent): void {
    const isCompleted = event._tag === "Completed"
    if (isCompleted) {
      this.count++
      this.usage = event.usage ?? this.usage
    }
    if (!this.#keeps) return
    const { bytes, outputFormat } = event
    this.#partial = isCompleted ? undefined : new GeneratedImage({ bytes, outputFormat })
    if (isCompleted) this.#completed.push(event)
  }
}
