/**
 * Checks which modules are loaded by the imports of the README's first program, and by the command line with
 * `--version` and `--help`. Fails if they are not those in `imports.txt` (of `effect`, only their number counts), so
 * that a slower start does not go unnoticed. `--write` writes the list: add a module only if it is needed.
 */
import { execFileSync } from "node:child_process"
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { argv, execPath } from "node:process"
import { root } from "./packed.ts"

const listFile = join(import.meta.dirname, "imports.txt")

/** The imports of the README's first program, without the rest of the program. */
const firstImports = readFileSync(join(root, "examples/generate.ts"), "utf8")
  .split("\n")
  .filter((line) => line.startsWith("import "))
  .map((line) => line.replace(/^import .* from ("[^"]*").*/, "import $1"))
  .join("\n")

const bin = join(root, "packages/cli/src/bin.ts")

/** The programs that are started: for each a title, the folder in which it runs, and the arguments to Node. */
const starts = [
  ["the README's first program", "examples", "--input-type=module", "--eval", firstImports],
  ["gradient-images --version", "packages/cli", bin, "--version"],
  ["gradient-images --help", "packages/cli", bin, "--help"]
] as const

/**
 * A module that, preloaded by Node, writes the URL of each loaded module to the file `output` when the process ends.
 */
const hook = (output: string) => `
  import { registerHooks } from "node:module"
  import { writeFileSync } from "node:fs"
  const urls = new Set()
  registerHooks({ load: (url, context, next) => (urls.add(url), next(url, context)) })
  process.on("exit", () => writeFileSync(${JSON.stringify(output)}, [...urls].join("\\n")))`

/** The path of a module from its package's name or `packages/` on. `undefined` for others, such as those of Node. */
const nameOf = (url: string): string | undefined =>
  /^file:.*\/node_modules\/((?:@[^/]+\/)?[^/]+\/.*)$/.exec(url)?.[1] ?? /^file:.*\/(packages\/.*)$/.exec(url)?.[1]

const modulesOf = (folder: string, args: ReadonlyArray<string>): ReadonlyArray<string> => {
  const temporary = mkdtempSync(join(tmpdir(), "effect-gradient-imports-"))
  try {
    const output = join(temporary, "urls")
    const preload = `data:text/javascript,${encodeURIComponent(hook(output))}`
    execFileSync(execPath, ["--import", preload, ...args], {
      cwd: join(root, folder),
      stdio: ["ignore", "ignore", "inherit"]
    })
    const names = readFileSync(output, "utf8").split("\n").map(nameOf)
    return names.filter((name) => name !== undefined).toSorted()
  } finally {
    rmSync(temporary, { recursive: true, force: true })
  }
}

/**
 * For each start, the modules that it loads. For `effect` only their number is listed, because its modules change with
 * its version.
 */
const found = starts
  .map(([title, folder, ...args]) => {
    const modules = modulesOf(folder, args)
    const others = modules.filter((name) => !name.startsWith("effect/"))
    return [`# ${title}`, `effect: ${modules.length - others.length} modules`, ...others, ""].join("\n")
  })
  .join("\n")

if (argv.includes("--write")) writeFileSync(listFile, found)
const listed = readFileSync(listFile, "utf8")
if (listed !== found) {
  const isIn = (text: string) => (line: string) => text.split("\n").includes(line)
  const added = found.split("\n").filter((line) => !isIn(listed)(line))
  const removed = listed.split("\n").filter((line) => !isIn(found)(line))
  process.stderr.write(
    `The modules that are loaded at a start have changed. If each added module is needed, run node scripts/check-imports.ts --write\n` +
      [...added.map((line) => `+ ${line}\n`), ...removed.map((line) => `- ${line}\n`)].join("")
  )
}
process.exitCode = listed === found ? 0 : 1
