import { assert, describe, it } from "@effect/vitest"
import { Deferred, Effect, Exit, Fiber, Scope, Stream } from "effect"
import { TestClock } from "effect/testing"
import * as SharedCalls from "../src/mcp/sharedCalls.ts"

/** Makes calls that all wait until `release` runs. `started` returns how many calls were started. */
const makeCalls = Effect.gen(function* () {
  const scope = yield* Scope.make()
  const { join } = yield* Scope.provide(
    SharedCalls.make((outcome: string) => outcome === "final"),
    scope
  )
  const outcome = yield* Deferred.make<string>()
  let started = 0
  const work = () => {
    started++
    return Deferred.await(outcome)
  }
  const ask = (key = "fox") => Effect.flatMap(join(key, work), (joined) => joined.outcome)
  return {
    ask,
    join: join("fox", work),
    release: (value: string) => Deferred.succeed(outcome, value),
    started: () => started,
    close: Scope.close(scope, Exit.void)
  }
})

describe("calls of an agent", () => {
  it.effect("of the same params are one while it runs, and for 10 minutes after a final outcome", () =>
    Effect.gen(function* () {
      const { ask, release, started } = yield* makeCalls
      const both = yield* Effect.forkChild(Effect.all([ask(), ask()], { concurrency: 2 }))
      yield* TestClock.adjust("30 minutes")
      yield* release("final")
      assert.deepStrictEqual(yield* Fiber.join(both), ["final", "final"])
      yield* TestClock.adjust("599 seconds")
      yield* ask()
      assert.strictEqual(started(), 1)
      yield* TestClock.adjust("1 second")
      yield* ask()
      assert.strictEqual(started(), 2)
      yield* ask("owl")
      assert.strictEqual(started(), 3)
    })
  )

  it.effect("are started again after another outcome", () =>
    Effect.gen(function* () {
      const { ask, release, started } = yield* makeCalls
      yield* release("refused")
      assert.deepStrictEqual([yield* ask(), yield* ask()], ["refused", "refused"])
      assert.strictEqual(started(), 2)
    })
  )

  it.effect("continue if nobody waits, and can be joined again", () =>
    Effect.gen(function* () {
      const { ask, release, started } = yield* makeCalls
      const waiting = yield* Effect.forkChild(ask())
      yield* TestClock.adjust("1 second")
      yield* Fiber.interrupt(waiting)
      yield* release("final")
      assert.strictEqual(yield* ask(), "final")
      assert.strictEqual(started(), 1)
    })
  )

  it.effect("report every 10 seconds that they wait, until they end", () =>
    Effect.gen(function* () {
      const { join, release } = yield* makeCalls
      const { reports } = yield* join
      const collecting = yield* Effect.forkChild(Stream.runCollect(reports))
      yield* TestClock.adjust("10 seconds")
      yield* TestClock.adjust("10 seconds")
      yield* release("final")
      assert.deepStrictEqual(yield* Fiber.join(collecting), [
        "Asking the service",
        "Waiting for the service, for 10.0 s so far",
        "Waiting for the service, for 20.0 s so far"
      ])
    })
  )

  it.effect("are waited for when the server ends, for at most 30 minutes, as long as a stream may take", () =>
    Effect.gen(function* () {
      const { ask, close } = yield* makeCalls
      const waiting = yield* Effect.forkChild(Effect.exit(ask()))
      yield* TestClock.adjust("1 second")
      const closing = yield* Effect.forkChild(close)
      yield* TestClock.adjust("1799 seconds")
      assert.isUndefined(closing.pollUnsafe())
      yield* TestClock.adjust("1 second")
      yield* Fiber.join(closing)
      assert.isTrue(Exit.hasInterrupts(yield* Fiber.join(waiting)))
    })
  )
})
