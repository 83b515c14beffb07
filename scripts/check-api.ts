/**
 * Writes the public API of each package except `cli` to `api/<package>.md`: the declarations of every module that a
 * user can import, and of the modules that those import from. If this changes a file, the script fails, so that the
 * change is seen in review. With `--write` it does not fail.
 */
import { execFileSync } from "node:child_process"
import { existsSync, globSync, mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs"
import { tmpdir } from "node:os"
import { dirname, join, normalize } from "node:path"
import { argv, execPath } from "node:process"
import { root } from "./packed.ts"

const folder = join(root, "api")
const tsc = join(root, "node_modules/typescript/bin/tsc")

/** Compiles a package to declarations without comments. Returns the text of each module by its path. */
const declarationsOf = (name: string): ReadonlyMap<string, string> => {
  const temporary = mkdtempSync(join(tmpdir(), "effect-gradient-api-"))
  try {
    const output = ["--outDir", temporary, "--tsBuildInfoFile", join(temporary, "info"), "--declarationMap", "false"]
    const options = ["-p", join(root, "packages", name), "--emitDeclarationOnly", "--removeComments", ...output]
    execFileSync(execPath, [tsc, ...options], { stdio: "inherit" })
    const paths = globSync("**/*.d.ts", { cwd: temporary })
    return new Map(paths.map((path) => [path, readFileSync(join(temporary, path), "utf8")]))
  } finally {
    rmSync(temporary, { recursive: true, force: true })
  }
}

/** The paths of the modules of the same package that this text imports or exports from. */
const mentioned = (path: string, text: string) =>
  Array.from(text.matchAll(/from "(\.[^"]+)"|import\("(\.[^"]+)"\)/g), ([, from, typeOnly]) =>
    normalize(join(dirname(path), (from ?? typeOnly ?? "").replace(/\.(ts|js)$/, ".d.ts")))
  )

/**
 * The paths of the public modules, then those of the internal modules that they import from, directly or through
 * others.
 */
const reachable = (declarations: ReadonlyMap<string, string>): ReadonlyArray<string> => {
  const found = new Set([...declarations.keys()].filter((path) => !/(^|\/)internal\//.test(path)).toSorted())
  for (const path of found) {
    for (const other of mentioned(path, declarations.get(path) ?? "").toSorted()) found.add(other)
  }
  return [...found]
}

const report = (name: string) => {
  const declarations = declarationsOf(name)
  const sections = reachable(declarations).map((path) => {
    const text = (declarations.get(path) ?? "").trim()
    return `## ${path.replace(/\.d\.ts$/, "")}\n\n\`\`\`ts\n${text}\n\`\`\`\n`
  })
  const title = `# The public API of @effect-gradient/${name}\n\nWritten by \`pnpm check:api --write\`. Do not edit it.\n`
  return [title, ...sections].join("\n")
}

/**
 * Sorts the parts of a report, so that two reports that differ only in the order of a union's members give the same
 * text. This order varies from run to run of the compiler.
 */
const unordered = (text: string) =>
  text
    .split("\n")
    .map((line) => (line.includes(" | ") ? (line.match(/[\w$.-]+|[^\s\w]/g) ?? []).toSorted().join(" ") : line))
    .toSorted()
    .join("\n")

/** The packages that can be imported. `cli` is left out, because it is only run. */
const packages = readdirSync(join(root, "packages")).filter((name) =>
  existsSync(join(root, "packages", name, "src/index.ts"))
)

mkdirSync(folder, { recursive: true })
const changed = packages
  .filter((name) => {
    const file = join(folder, `${name}.md`)
    const found = report(name)
    if (existsSync(file) && unordered(readFileSync(file, "utf8")) === unordered(found)) return false
    // The file is also written without `--write`. Then the check fails, and `git diff` shows the change.
    writeFileSync(file, found)
    return true
  })
  .map((name) => `api/${name}.md`)

if (changed.length > 0 && !argv.includes("--write")) {
  process.stderr.write(
    `The public API has changed: see git diff ${changed.join(" ")}\nIf this is intended, commit these files.\n`
  )
  process.exitCode = 1
}
