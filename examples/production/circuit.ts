import { GradientError, Images } from "@effect-gradient/core"
import { Effect, Layer, Queue, Stream } from "effect"
import { CircuitBreaker } from "effect/persistence"
import { breaker, guarded } from "../circuit-breaker.ts"

/**
 * Turns the error of an open circuit into a `ConnectionError`, which means that nothing was sent. So a fallback moves on to
 * the next endpoint, and the key of a durable call stays free.
 */
const notSent = (error: CircuitBreaker.CircuitBreakerError) =>
  GradientError.fromReason(new GradientError.ConnectionError({ description: error.message, cause: error }))

const guard = <A, R>(call: Effect.Effect<A, GradientError.GradientError, R>) =>
  Effect.catchTag(guarded(call), "CircuitBreakerError", (error) => Effect.fail(notSent(error)))

const guardedImages = Layer.effect(
  Images.Images,
  Effect.gen(function* () {
    const { generate, generateStream } = yield* Images.Images
    const own = yield* CircuitBreaker.CircuitBreaker
    return Images.Images.of({
      generate: (...call) => guard(generate(...call)).pipe(Effect.provideService(CircuitBreaker.CircuitBreaker, own)),
      // For the circuit breaker, a stream is one call, from its request to its last event. The queue passes the events on to
      // the caller, while the breaker waits for the end of the stream.
      generateStream: (...call) =>
        Stream.callback(
          (queue) =>
            guard(Stream.runForEach(generateStream(...call), (event) => Queue.offer(queue, event))).pipe(
              Effect.andThen(Queue.end(queue)),
              Effect.provideService(CircuitBreaker.CircuitBreaker, own)
            ),
          { bufferSize: 1 }
        )
    })
  })
).pipe(Layer.provide(breaker))

/**
 * Puts the calls of one endpoint behind a circuit breaker. `Layer.fresh` gives each endpoint a circuit breaker of its own.
 */
export const circuit = Layer.fresh(guardedImages)
