import { assert, describe, it } from "@effect/vitest"
import { Effect } from "effect"
import { TestClock, TestConsole } from "effect/testing"
import { seconds } from "../src/output/format.ts"
import * as Progress from "../src/output/progress.ts"

describe("progress without a terminal", () => {
  it.effect("prints every 30 seconds what it waits for, and nothing once that arrived", () =>
    Effect.gen(function* () {
      const progress = yield* Progress.make
      yield* progress.waitFor("the finished image")
      yield* TestClock.adjust("60 seconds")
      yield* progress.stop
      yield* TestClock.adjust("60 seconds")
      const lines = yield* TestConsole.errorLines
      assert.strictEqual(lines.length, 2)
      for (const line of lines) {
        assert.match(String(line), /^- Still waiting for the finished image, [\d.]+ s after the start$/)
      }
    })
  )
})

describe("seconds", () => {
  it("have one decimal, and are minutes from a minute on", () => {
    assert.deepStrictEqual([4150, 59_900, 133_000].map(seconds), ["4.2 s", "59.9 s", "2m 13s"])
  })
})
