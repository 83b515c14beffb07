/**
 * The outcome of a stream's attempt, taken from its events: an Exit does not tell whether a stream was read to its end.
 */
import * as Cause from "effect/Cause"
import * as Effect from "effect/Effect"
import * as Pull from "effect/Pull"
import { GeneratedImage } from "../../GeneratedImage.ts"
import type { GradientErrorReason } from "../../GradientError.ts"
import type { Usage } from "../../ImageGenerateResponse.ts"
import type { ImageGenStreamEvent } from "../../ImageGenStreamEvent.ts"
import type { Events } from "../reply/readReply.ts"
import { Outcome } from "./around.ts"
import type { OpenAttempt } from "./open.ts"

type EventsPull = Pull.Pull<Events, GradientErrorReason>

/** Settles the attempt before the last `Completed` is given out, at the end of the stream and at its failure. */
export const settling = (attempt: OpenAttempt, n: number, pull: EventsPull): EventsPull => {
  const arrived = new Arrived(attempt.isObserved)
  attempt.images = () => arrived.images
  const complete = Effect.suspend(() =>
    attempt.settle(Outcome.Completed({ images: arrived.completed, usage: arrived.usage }))
  )
  return Effect.uninterruptibleMask((restore) =>
    Pull.matchEffect(restore(pull), {
      onSuccess: (events): EventsPull => {
        for (const event of events) arrived.add(event)
        return arrived.count < n ? Effect.succeed(events) : Effect.as(complete, events)
      },
      // Fewer images than were asked for are complete as well: readEvents has checked that none is half done.
      onDone: (): EventsPull => Effect.andThen(complete, Cause.done()),
      onFailure: (cause): EventsPull => {
        const failure = cause.reasons.find(Cause.isFailReason)
        return failure === undefined ? Effect.failCause(cause) : attempt.fail(failure.error)
      }
    })
  )
}

/** What a stream has brought. Images are kept only if an entry waits for them: they may be large. */
class Arrived {
  count = 0
  usage: Usage | undefined
  readonly completed: Array<GeneratedImage> = []
  #partial: GeneratedImage | undefined
  readonly #keeps: boolean

  constructor(keeps: boolean) {
    this.#keeps = keeps
  }

  get images(): ReadonlyArray<GeneratedImage> {
    return this.#partial === undefined ? this.completed : [...this.completed, this.#partial]
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
    if (isCompleted) {
      this.completed.push(new GeneratedImage({ bytes, outputFormat, revisedPrompt: event.revisedPrompt }))
    }
  }
}
