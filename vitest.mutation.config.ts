import { defineConfig } from "vitest/config"

/** Runs the tests for `pnpm mutation`: those that should fail if it changes the code. */
export default defineConfig({
  test: {
    include: [
      "packages/core/test/{Attempt,GradientError,Images,RetryPolicy}.test.ts",
      "packages/durable/test/GenerationJournal.test.ts"
    ],
    testTimeout: 30_000
  }
})
