import { assert, describe, it } from "@effect/vitest"
import { execFile } from "node:child_process"
import { fileURLToPath } from "node:url"
import { promisify } from "node:util"

const bench = fileURLToPath(new URL("../../../bench/gateway.ts", import.meta.url))

describe("the gateway under load", () => {
  it("many streams at once are complete, and each refusal has its status", async () => {
    const args = [bench, "--streams", "40", "--sizes", "150000", "--rounds", "1"]
    // `execFile` rejects if the process exits with a code other than 0.
    const { stdout } = await promisify(execFile)(process.execPath, args)
    assert.strictEqual(stdout.match(/, 0 broken,/g)?.length, 1)
    assert.include(stdout, "a caller over the limit 429")
  })
})
