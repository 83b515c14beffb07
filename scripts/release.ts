/**
 * `pnpm release`: runs the checks and the tests, and publishes each package whose version is not on npm. Run `pnpm
 * changeset:version` before: it sets the versions and writes the changelogs from the files in .changeset. Review and
 * commit its changes.
 *
 * `--dry-run` publishes nothing, and prints the versions that `pnpm changeset:version` would set.
 * `--skip-tests` leaves out `pnpm test`, for example if CI has run it on this commit.
 */
import { globSync, mkdtempSync, readFileSync, rmSync } from "node:fs"
import { tmpdir } from "node:os"
import { join, relative } from "node:path"
import { parseArgs } from "node:util"
import { Schema } from "effect"
import { outputOf, root, run } from "./packed.ts"

const { values } = parseArgs({ options: { "dry-run": { type: "boolean" }, "skip-tests": { type: "boolean" } } })

const pnpm = (...args: ReadonlyArray<string>) => run("npx", ["--yes", "pnpm", ...args], root)

/** The files of changes that `pnpm changeset:version` has not yet turned into versions and changelogs. */
const changesets = globSync(".changeset/*.md", { cwd: root })

/**
 * The output of `changeset status`: the versions that `pnpm changeset:version` would set. A package that is not
 * published, such as the examples, may have no version.
 */
const Status = Schema.fromJsonString(
  Schema.Struct({
    releases: Schema.Array(
      Schema.Struct({
        name: Schema.String,
        oldVersion: Schema.optional(Schema.String),
        newVersion: Schema.optional(Schema.String)
      })
    )
  })
)

const printVersions = () => {
  const folder = mkdtempSync(join(tmpdir(), "effect-gradient-release-"))
  try {
    const file = join(folder, "status.json")
    pnpm("changeset", "status", "--output", relative(root, file))
    for (const { name, newVersion, oldVersion } of Schema.decodeSync(Status)(readFileSync(file, "utf8")).releases) {
      if (newVersion !== oldVersion) process.stdout.write(`${name}: ${oldVersion} -> ${newVersion}\n`)
    }
  } finally {
    rmSync(folder, { recursive: true, force: true })
  }
}

if (values["dry-run"] !== true) {
  if (changesets.length > 0) {
    throw new Error(`Run \`pnpm changeset:version\` first, and commit what it did: ${changesets.join(", ")}`)
  }
  const changed = outputOf("git", ["status", "--porcelain"], root)
  if (changed !== "") throw new Error(`Commit or remove these changes first:\n${changed}`)
}

pnpm("check")
if (values["skip-tests"] !== true) pnpm("test")
pnpm("check:packed")

if (values["dry-run"] === true) printVersions()
else pnpm("changeset", "publish")
