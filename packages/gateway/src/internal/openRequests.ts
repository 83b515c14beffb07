/**
 * Limits how many requests of a caller are open at the same time. Each request of a caller who reads slowly can keep an
 * image in memory.
 */
import * as Effect from "effect/Effect"
import * as ApiError from "../ApiError.ts"

const tooMany = ApiError.make(429, "Too many requests are open at once. Try again in 1 s.", {
  code: "too_many_open",
  headers: { "retry-after": "1" }
})

export const makeOpenRequests = (limit: number) => {
  const open = new Map<string, number>()
  /** Counts a request of this caller as open until the scope closes. Fails if the caller has too many open requests. */
  return (caller: string) =>
    Effect.acquireRelease(
      Effect.suspend(() => {
        const count = open.get(caller) ?? 0
        if (count >= limit) return Effect.fail(tooMany)
        open.set(caller, count + 1)
        return Effect.void
      }),
      () =>
        Effect.sync(() => {
          const count = open.get(caller) ?? 1
          if (count === 1) open.delete(caller)
          else open.set(caller, count - 1)
        })
    )
}
