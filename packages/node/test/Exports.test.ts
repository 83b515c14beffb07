import { assert, describe, it } from "@effect/vitest"
import { Schema } from "effect"
import { globSync, readFileSync } from "node:fs"
import { join } from "node:path"

const Exports = Schema.Record(Schema.String, Schema.Unknown)
const Manifest = Schema.fromJsonString(
  Schema.Struct({ exports: Exports, publishConfig: Schema.Struct({ exports: Exports }) })
)
const packages = join(import.meta.dirname, "..", "..")

describe("package.json", () => {
  it.each(globSync("*/package.json", { cwd: packages }))("%s can be required from outside, as tools do", (path) => {
    const { exports, publishConfig } = Schema.decodeSync(Manifest)(readFileSync(join(packages, path), "utf8"))
    assert.strictEqual(exports["./package.json"], "./package.json")
    assert.strictEqual(publishConfig.exports["./package.json"], "./package.json")
  })
})
