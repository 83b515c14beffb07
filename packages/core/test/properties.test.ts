import { describe, it } from "@effect/vitest"
import fc from "fast-check"
import { properties } from "./support/Properties.ts"

// Each property is checked on 800 cases, the same ones in each run. By default, `pnpm fuzz` checks a million random
// cases in total.
describe("every reply", () => {
  for (const [name, property] of Object.entries(properties)) {
    it(name, () => fc.assert(property, { numRuns: 800, seed: 1 }))
  }
})
