import { describe, it } from "@effect/vitest"
import fc from "fast-check"
import { properties } from "./support/Properties.ts"

// A few thousand cases, the same ones each time; `pnpm fuzz` tries a million others.
describe("every reply", () => {
  for (const [name, property] of Object.entries(properties)) {
    it(name, () => fc.assert(property, { numRuns: 800, seed: 1 }))
  }
})
