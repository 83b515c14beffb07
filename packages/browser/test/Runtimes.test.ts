import { assert, describe, it } from "@effect/vitest"
import { execFile, spawnSync } from "node:child_process"
import { join } from "node:path"
import { promisify } from "node:util"

/** Runs the program of `runtimes/` there, and gives what it printed. */
const run = async (command: string, args: ReadonlyArray<string>): Promise<Record<string, unknown>> => {
  const program = join(import.meta.dirname, "runtimes", "program.ts")
  const { stdout } = await promisify(execFile)(command, [...args, program], { timeout: 60_000 })
  return JSON.parse(stdout)
}

// Neither is installed here: `npm i bun deno` in some folder, and its node_modules/.bin on the PATH, runs these tests.
describe.each([
  ["deno", ["run", "-A", "--no-check"]],
  ["bun", []]
] as const)("BrowserImages on %s", (command, args) => {
  it.skipIf(spawnSync(command, ["--version"]).status !== 0)(
    "one call sends one request, and what was not sent is known",
    { timeout: 60_000 },
    async () => {
      const outcome = await run(command, args)
      assert.deepOwnInclude(outcome, { requests: 2 })
      const reasonOf = (call: string) => /"reason":"(\w+)"/.exec(JSON.stringify(outcome[call]))?.[1]
      assert.deepStrictEqual(["first", "second", "refused", "unknownHost", "notHttp", "noTls"].map(reasonOf), [
        undefined,
        "DisconnectedError",
        "ConnectionError",
        "ConnectionError",
        "InvalidResponseError",
        "ConnectionError"
      ])
    }
  )
})
