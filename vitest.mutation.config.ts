import { defineConfig } from "vitest/config"

/** The tests that `pnpm mutation` runs: those of the files that it changes. */
export default defineConfig({
  test: {
    include: [
      "packages/core/test/{Attempt,GradientError,Images,RetryPolicy}.test.ts",
      "packages/durable/test/GenerationJournal.test.ts"
    ],
    testTimeout: 30_000
  }
})
