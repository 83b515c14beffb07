/**
 * Builds the documentation site in site/dist; `pnpm site` then checks it with check.ts. Its pages are the guides in
 * docs/, a home page, a playground, and a reference that is made from the docstrings. The build fails if a link to
 * another page of the site leads nowhere.
 */
import { cpSync, globSync, mkdirSync, readFileSync, rmSync, writeFileSync } from "node:fs"
import { basename, dirname, join, normalize } from "node:path"
import { execPath } from "node:process"
import { repository } from "./links.ts"
import { buildWorker } from "./playground/build.ts"
import { runAsync, runTasks } from "../scripts/tasks.ts"

const site = import.meta.dirname
const root = join(site, "..")
const pages = join(site, "pages")

const bin = (path: string, ...args: ReadonlyArray<string>) =>
  runAsync(execPath, [join(site, "node_modules", path), ...args], site)

/** Replaces links to files outside of docs/, which are not pages of the site, with links to the repository. */
const withLinks = (markdown: string): string =>
  markdown.replace(
    /\]\((\.\.\/[^)\s]+)\)/g,
    (_, target: string) => `](${repository}/${normalize(join("docs", target))})`
  )

const copyGuides = () => {
  for (const path of globSync("docs/*.md", { cwd: root })) {
    writeFileSync(join(pages, basename(path)), withLinks(readFileSync(join(root, path), "utf8")))
  }
  for (const path of globSync("docs/*.{webp,png,svg}", { cwd: root })) {
    cpSync(join(root, path), join(pages, basename(path)))
    cpSync(join(root, path), join(pages, "public", basename(path)))
  }
  cpSync(join(site, "home.md"), join(pages, "index.md"))
  cpSync(join(site, "playground", "playground.md"), join(pages, "playground.md"))
}

/** The paths of the modules of a package that a user can import, except `index.ts`. */
const publicModules = (name: string) =>
  globSync(["*.ts", "testing/*.ts", "node/*.ts"], { cwd: join(root, "packages", name, "src") })
    .filter((path) => basename(path) !== "index.ts")
    .map((path) => join(root, "packages", name, "src", path))

/**
 * Shortens a page of the reference: removes constructors and notes about inheritance, and makes each section "Since"
 * one line.
 */
const plain = (markdown: string): string =>
  markdown
    .replace(/^#+ Inherited from\n\n.*\n\n?/gm, "")
    .replace(/^#+ Extends\n\n- `object`.*\n\n?/gm, "")
    .replace(/^(#+) Constructors\n\n#+ Constructor\n(?:.*\n)*?(?=#{1,5} (?!Parameters|Returns)|\*\*\*)/gm, "")
    .replace(/^#+ Since\n\n(\S+)$/gm, "_Since $1._")
    .replaceAll("`string` & `object`", "`string`")

const writeReference = () => {
  const tasks = ["core", "node", "browser", "gateway", "durable", "emulator"].map((name) => async () => {
    const output = join(pages, "reference", name)
    const entries = publicModules(name).flatMap((path) => ["--entryPoints", path])
    const options = ["--options", "typedoc.json", "--tsconfig", join(root, "packages", name, "tsconfig.json")]
    const names = ["--name", `@effect-gradient/${name}`, "--basePath", dirname(entries[1] ?? "")]
    await bin("typedoc/bin/typedoc", ...options, ...names, ...entries, "--out", output)
    for (const path of globSync("**/*.md", { cwd: output })) {
      const file = join(output, path)
      writeFileSync(file, plain(readFileSync(file, "utf8")))
    }
  })
  return runTasks(tasks)
}

rmSync(pages, { recursive: true, force: true })
mkdirSync(pages, { recursive: true })
copyGuides()
await buildWorker(join(pages, "public", "playground-worker.js"))
await writeReference()
await bin("vitepress/bin/vitepress.js", "build")
