import { assert, describe, it } from "@effect/vitest"
import { Schema } from "effect"
import { execFile, spawnSync } from "node:child_process"
import { join } from "node:path"
import { promisify } from "node:util"

const Outcome = Schema.fromJsonString(
  Schema.Struct({ requests: Schema.Number, reasons: Schema.Record(Schema.String, Schema.String) })
)

/** Runs `runtimes/program.ts` on this runtime, and returns its output. */
const run = async (command: string, args: ReadonlyArray<string>) => {
  const program = join(import.meta.dirname, "runtimes", "program.ts")
  const { stdout } = await promisify(execFile)(command, [...args, program], { timeout: 60_000 })
  return Schema.decodeSync(Outcome)(stdout)
}

// A test is skipped if its runtime is not installed. To run both, install the runtimes with `npm i bun deno` in any
// folder, and add the folder's node_modules/.bin to the PATH.
describe.each([
  ["deno", ["run", "-A", "--no-check"]],
  ["bun", []]
] as const)("BrowserImages on %s", (command, args) => {
  it.skipIf(spawnSync(command, ["--version"]).status !== 0)(
    "one call sends one request, and what was not sent is known",
    { timeout: 60_000 },
    async () => {
      assert.deepStrictEqual(await run(command, args), {
        requests: 2,
        reasons: {
          first: "none",
          broken: "DisconnectedError",
          refused: "ConnectionError",
          unknownHost: "ConnectionError",
          notHttp: "InvalidResponseError",
          noTls: "ConnectionError"
        }
      })
    }
  )
})
