import { assert, describe, it } from "@effect/vitest"
import { makeAttempts } from "../src/internal/gateway/attempts.ts"

const hour = 60 * 60 * 1000

describe("attempts", () => {
  it("are remembered for an hour", () => {
    const attempts = makeAttempts()
    assert.isTrue(attempts.claim("a", 0))
    assert.isFalse(attempts.claim("a", hour - 1))
    assert.isTrue(attempts.claim("a", hour))
    assert.isFalse(attempts.claim("a", 2 * hour - 1))
  })

  it("are the latest 100,000: beyond, the oldest are forgotten", () => {
    const attempts = makeAttempts()
    for (let i = 0; i <= 100_000; i++) assert.isTrue(attempts.claim(String(i), i))
    assert.isFalse(attempts.claim("1", 100_001))
    assert.isTrue(attempts.claim("0", 100_001))
  })

  it("are forgotten when released", () => {
    const attempts = makeAttempts()
    attempts.claim("a", 0)
    attempts.release("a")
    assert.isTrue(attempts.claim("a", 1))
  })
})
