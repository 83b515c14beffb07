import { defineConfig } from "vitest/config"

/** The tests that `pnpm mutation` runs: at least one of them should fail for each change that it makes to the code. */
export default defineConfig({
  test: {
    include: [
      "packages/core/test/{Attempt,GradientError,Images,RetryPolicy}.test.ts",
      "packages/durable/test/GenerationJournal.test.ts"
    ],
    testTimeout: 30_000
  }
})
