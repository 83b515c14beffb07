import { defineConfig } from "vitest/config"
import type { Reporter } from "vitest/node"

/**
 * Prints one plain line at the end of a run, which programs can read: `12 passed, 0 failed`. Each unhandled error
 * counts as a failed test.
 */
const totals: Reporter = {
  onTestRunEnd(modules, unhandledErrors) {
    let passed = 0
    let failed = unhandledErrors.length
    for (const module of modules) {
      const states = Array.from(module.children.allTests(), (test) => test.result().state)
      passed += states.filter((state) => state === "passed").length
      // A file that fails without a failed test, for example because it cannot be loaded, counts as one failed test.
      failed += states.filter((state) => state === "failed").length || (module.ok() ? 0 : 1)
    }
    console.log(`${passed} passed, ${failed} failed`)
  }
}

export default defineConfig({
  test: {
    include: ["packages/*/test/**/*.test.ts", "examples/**/*.test.ts"],
    testTimeout: 30_000,
    reporters: ["default", totals],
    coverage: { provider: "v8", reporter: [["text", { skipFull: true }]], reportsDirectory: "out/coverage" }
  }
})
