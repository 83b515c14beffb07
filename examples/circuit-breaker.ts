import type { GradientError } from "@effect-gradient/core"
import { Cause, Effect, type Exit, Layer, Option } from "effect"
import { CircuitBreaker } from "effect/persistence"

/**
 * A circuit breaker. After 5 failures that show that the service is down, without a success in between, it opens for 30
 * seconds, or longer if the service's `retry-after` asks for it. Then it lets one call through: if the call succeeds, the
 * circuit closes; after another such failure, the circuit opens again.
 */
export const breaker = CircuitBreaker.layer({
  tripPolicy: CircuitBreaker.consecutive(5),
  openDuration: "30 seconds"
}).pipe(Layer.provide(CircuitBreaker.layerStoreMemory()))

/** Whether a failure shows that the service is down. A 429, a refused prompt and invalid params do not show it. */
const isDown = ({ reason: { _tag, reached } }: GradientError.GradientError) =>
  ["ConnectionError", "InternalServerError"].includes(_tag) ||
  (["RequestTimeoutError", "DisconnectedError"].includes(_tag) && reached !== "Accepted")

const classify = (exit: Exit.Exit<unknown, GradientError.GradientError>) => {
  if (exit._tag === "Success") return CircuitBreaker.success
  const error = Option.filter(Cause.findErrorOption(exit.cause), isDown)
  return Option.isSome(error) ? CircuitBreaker.failure(error.value.reason) : CircuitBreaker.ignored
}

/**
 * Runs a call of `Images` through the circuit breaker. While the circuit is open, nothing is sent, and the call fails with
 * `CircuitBreakerError`.
 */
export const guarded = <A, R>(call: Effect.Effect<A, GradientError.GradientError, R>) =>
  Effect.flatMap(CircuitBreaker.CircuitBreaker, ({ execute }) => execute(call, { key: "images", classify }))
