/**
 * The public API of each package: `api/<package>.md` holds the declarations of every module that a user can import, and of
 * those they mention. Fails if they have changed, so that a change of the API is seen in review. `--write` writes the files.
 */
import { execFileSync } from "node:child_process"
import { existsSync, globSync, mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs"
import { tmpdir } from "node:os"
import { dirname, join, normalize } from "node:path"
import { argv, execPath } from "node:process"
import { root } from "./packed.ts"

const folder = join(root, "api")
const tsc = join(root, "node_modules/typescript/bin/tsc")

/** The declarations of a package without comments: the path of each module, and its text. */
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

/** The modules of the same package that this text imports or exports. */
const mentioned = (path: string, text: string) =>
  Array.from(text.matchAll(/from "(\.[^"]+)"|import\("(\.[^"]+)"\)/g), ([, from, typeOnly]) =>
    normalize(join(dirname(path), (from ?? typeOnly ?? "").replace(/\.(ts|js)$/, ".d.ts")))
  )

/** The public modules, then the internal ones whose types they mention. */
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

/** The same for two reports that differ only in the order of a union's members, which varies from run to run of the compiler. */
const unordered = (text: string) =>
  text
    .split(/[^\w$.-]+/)
    .toSorted()
    .join(" ")

/** The packages that can be imported: the cli is only run. */
const packages = readdirSync(join(root, "packages")).filter((name) =>
  existsSync(join(root, "packages", name, "src/index.ts"))
)

mkdirSync(folder, { recursive: true })
const changed = packages
  .filter((name) => {
    const file = join(folder, `${name}.md`)
    const found = report(name)
    if (existsSync(file) && unordered(readFileSync(file, "utf8")) === unordered(found)) return false
    // Without `--write`, the file is written too, so that `git diff` shows the change after the check has failed.
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
