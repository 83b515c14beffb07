import { assert, describe, it } from "@effect/vitest"
import { readFileSync } from "node:fs"
import { join } from "node:path"

const root = join(import.meta.dirname, "..")
const read = (path: string) => readFileSync(join(root, path), "utf8")

/** The test that each row of SECURITY.md names in its last cell: its file and its title. */
const defences = Array.from(
  read("SECURITY.md").matchAll(/\| `([^`|]+\.test\.ts)`: (.+?) +\|$/gm),
  ([, file = "", title = ""]) => ({
    file,
    title
  })
)

describe("SECURITY.md", () => {
  it("has a test in each row", () => {
    const rows = read("SECURITY.md").match(/^\| (?!threat|---).+\|$/gm) ?? []
    assert.isAbove(rows.length, 10)
    assert.strictEqual(defences.length, rows.length)
  })

  it.each(defences)("names a test that exists: $title", ({ file, title }) => {
    assert.include(read(file), title)
  })
})
