import { assert, it } from "@effect/vitest"
import { execFile } from "node:child_process"
import { promisify } from "node:util"

/** Allocates 140 MB of objects that survive, with pauses. Prints the size of V8's new space in MB. */
const program = `
  import * as Effect from "effect/Effect"
  import { getHeapSpaceStatistics } from "node:v8"
  import { boundNewSpace } from "${new URL("../src/newSpace.ts", import.meta.url).href}"
  Effect.runFork(boundNewSpace)
  const kept = []
  for (let round = 0; round < 15; round++) {
    for (let count = 0; count < 50_000; count++) kept.push(new Array(20).fill(count))
    await new Promise((resolve) => setTimeout(resolve, 200))
  }
  console.log(getHeapSpaceStatistics().find((space) => space.space_name === "new_space").space_size / 1024 / 1024)
  process.exit()
`

it("V8's new space does not grow beyond 32 MB", async () => {
  const args = ["--min-semi-space-size=16", "--max-semi-space-size=64", "--input-type=module", "--eval", program]
  const { stdout } = await promisify(execFile)(process.execPath, args, { cwd: import.meta.dirname })
  assert.isAtMost(Number(stdout), 32)
}, 60_000)
