import { assert, describe, it } from "@effect/vitest"
import { Schema } from "effect"
import { execFile, spawnSync } from "node:child_process"
import { mkdtemp, readdir, rm } from "node:fs/promises"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { promisify } from "node:util"

const Outcome = Schema.fromJsonString(Schema.Struct({ call: Schema.String, written: Schema.Array(Schema.String) }))

// Bun and Deno are not dependencies of this repository. To run these tests, install both in some folder with `npm i bun
// deno`, and add its node_modules/.bin to the PATH.
describe.each([
  ["deno", ["run", "-A", "--no-check"], /^108 bytes$/],
  ["bun", [], /^InvalidParamsError: .*BrowserImages/]
] as const)("on %s", (command, args, call) => {
  it.skipIf(spawnSync(command, ["--version"]).status !== 0)(
    "NodeImages works or names the layer to use, and ImageFile writes",
    { timeout: 60_000 },
    async () => {
      const folder = await mkdtemp(join(tmpdir(), "runtimes-"))
      try {
        const program = join(import.meta.dirname, "runtimes", "program.ts")
        const { stdout } = await promisify(execFile)(command, [...args, program, folder], { timeout: 60_000 })
        const outcome = Schema.decodeSync(Outcome)(stdout)
        assert.match(outcome.call, call)
        assert.deepStrictEqual(
          outcome.written,
          ["otter.png", "otter-2.png", "otter.png"].map((name) => join(folder, name))
        )
        assert.deepStrictEqual((await readdir(folder)).toSorted(), ["otter-2.png", "otter.png"])
      } finally {
        await rm(folder, { recursive: true })
      }
    }
  )
})
