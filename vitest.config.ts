import { join } from "node:path"
import { availableParallelism } from "node:os"
import { env } from "node:process"
import { configDefaults, defineConfig } from "vitest/config"
import { BaseSequencer, type Reporter, type TestSpecification } from "vitest/node"

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

/**
 * Starts the files that take longest first. If one of them were the last to start, the other workers would have nothing
 * to do until it ends.
 */
class LongestFirst extends BaseSequencer {
  override async sort(files: Array<TestSpecification>) {
    const isLong = ({ moduleId }: TestSpecification) =>
      /Crash\.test\.ts$|\/cli\.test\.ts$|gallery\.test\.ts$/.test(moduleId)
    // oxlint-disable-next-line unicorn/no-array-sort -- it is a method of Vitest
    const sorted = await super.sort(files)
    return [...sorted.filter(isLong), ...sorted.filter((file) => !isLong(file))]
  }
}

// Node keeps what it has compiled here, for the workers and for the processes that tests start.
env["NODE_COMPILE_CACHE"] ??= join(import.meta.dirname, "node_modules/.cache/node")

// Before the tests of the command line and of durable, the programs that they start as processes are built.
const cli = "packages/cli/test/**/*.test.ts"
const durable = "packages/durable/test/**/*.test.ts"

export default defineConfig({
  test: {
    // Many tests wait for sockets and processes, so one worker for each core is not too many.
    maxWorkers: availableParallelism(),
    projects: [
      {
        extends: true,
        test: { name: "cli", include: [cli], globalSetup: "packages/cli/test/support/build.ts" }
      },
      {
        extends: true,
        test: { name: "durable", include: [durable], globalSetup: "packages/durable/test/support/bundlePrograms.ts" }
      },
      {
        extends: true,
        test: {
          name: "others",
          include: ["packages/*/test/**/*.test.ts", "examples/**/*.test.ts"],
          exclude: [cli, durable, ...configDefaults.exclude]
        }
      }
    ],
    sequence: { sequencer: LongestFirst },
    // Only a test that hangs should reach it: on a busy machine, a test of several processes takes long.
    testTimeout: 120_000,
    reporters: ["default", totals],
    coverage: { provider: "v8", reporter: [["text", { skipFull: true }]], reportsDirectory: "out/coverage" }
  }
})
