import { assert, describe, it } from "@effect/vitest"
import { makeAttemptIds } from "../../src/internal/attemptIds.ts"

const hour = 60 * 60 * 1000

describe("ids of attempts", () => {
  it("are remembered for an hour", () => {
    const ids = makeAttemptIds()
    assert.isTrue(ids.claim("a", 0))
    assert.isFalse(ids.claim("a", hour - 1))
    assert.isTrue(ids.claim("a", hour))
    assert.isFalse(ids.claim("a", 2 * hour - 1))
  })

  it("are the latest 100,000: the oldest are forgotten", () => {
    const ids = makeAttemptIds()
    for (let i = 0; i <= 100_000; i++) assert.isTrue(ids.claim(String(i), i))
    assert.isFalse(ids.claim("1", 100_001))
    assert.isTrue(ids.claim("0", 100_001))
  })

  it("are forgotten when released", () => {
    const ids = makeAttemptIds()
    ids.claim("a", 0)
    ids.release("a")
    assert.isTrue(ids.claim("a", 1))
  })
})
