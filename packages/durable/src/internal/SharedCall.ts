/** A call that is under way in this process. Any number of callers can wait for its result. */
import type { GradientError } from "@effect-gradient/core"
import { ImageStream, type ImageGenerateResponse, type ImageGenStreamEvent } from "@effect-gradient/core"
import * as Arr from "effect/Array"
import * as Cause from "effect/Cause"
import * as Deferred from "effect/Deferred"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import type * as Fiber from "effect/Fiber"
import type * as Pull from "effect/Pull"
import * as Stream from "effect/Stream"

type Response = ImageGenerateResponse.ImageGenerateResponse
type Event = ImageGenStreamEvent.ImageGenStreamEvent
type Completed = ImageGenStreamEvent.Completed

export class SharedCall {
  /** What the first caller asked for, as text. A later call with the same key fails if it asks for something else. */
  readonly asked: string
  callers = 0
  fiber: Fiber.Fiber<unknown, unknown> | undefined
  readonly #completed: Array<Completed> = []
  /**
   * The newest partial image of the image that is being generated. A slow consumer does not get the partial images
   * before it.
   */
  #partial: Event | undefined
  #partialNumber = 0
  #changed = Deferred.makeUnsafe<void>()
  readonly #result = Deferred.makeUnsafe<Response, GradientError.GradientError>()

  constructor(asked: string) {
    this.asked = asked
  }

  /** The whole response. */
  get response(): Effect.Effect<Response, GradientError.GradientError> {
    return Deferred.await(this.#result)
  }

  /** Succeeds when the call has ended, whether by success, failure, interruption or a defect. */
  get ended(): Effect.Effect<void> {
    return Effect.asVoid(Effect.exit(this.response))
  }

  add(event: Event): void {
    if (event._tag === "Completed") {
      this.#completed.push(event)
      this.#partial = undefined
    } else {
      this.#partial = event
      this.#partialNumber++
    }
    this.#notify()
  }

  /** Ends the call with this result. If no complete image was streamed, the images of the response are emitted now. */
  end(exit: Exit.Exit<Response, GradientError.GradientError>): void {
    if (Exit.isSuccess(exit) && this.#completed.length === 0) {
      this.#completed.push(...ImageStream.fromResponse(exit.value))
    }
    this.#partial = undefined
    Deferred.doneUnsafe(this.#result, exit)
    this.#notify()
  }

  #notify(): void {
    const changed = this.#changed
    this.#changed = Deferred.makeUnsafe()
    Deferred.doneUnsafe(changed, Exit.void)
  }

  /**
   * Emits every `Completed`. Whenever the consumer is ready for more and no `Completed` waits, emits the newest partial
   * image, unless this consumer has had it.
   */
  get events(): Stream.Stream<Event, GradientError.GradientError> {
    return Stream.fromPull(
      Effect.sync(() => {
        let given = 0
        let partial = 0
        const pull: Pull.Pull<Arr.NonEmptyReadonlyArray<Event>, GradientError.GradientError> = Effect.suspend(() => {
          const completed = this.#completed.slice(given)
          given = this.#completed.length
          if (Arr.isReadonlyArrayNonEmpty(completed)) return Effect.succeed(completed)
          if (this.#partial !== undefined && this.#partialNumber > partial) {
            partial = this.#partialNumber
            return Effect.succeed(Arr.of(this.#partial))
          }
          if (Deferred.isDoneUnsafe(this.#result)) return Effect.andThen(this.response, Cause.done())
          return Effect.andThen(Deferred.await(this.#changed), pull)
        })
        return pull
      })
    )
  }
}
