/** Runs a program on Node, Bun, Deno or workerd. The last three are npm packages. */
import { execFile, execFileSync } from "node:child_process"
import { writeFileSync } from "node:fs"
import { join } from "node:path"
import { promisify } from "node:util"

/** The npm packages of the runtimes, and the bundler for workerd. */
export const tools = ["bun@1.4.5", "deno@2.9.6", "miniflare@4.20260730.0", "esbuild@0.28.2"]

/**
 * Runs a program in the project's folder, and returns the last line that it prints. The program is `<name>Process.ts`,
 * with the arguments on its command line. On workerd it is `<name>Worker.ts`, with the arguments in `ARGUMENTS`.
 */
type Runtime = (project: string, name: string, args: ReadonlyArray<string>) => Promise<string>

const output = async (command: string, args: ReadonlyArray<string>, cwd: string) => {
  const { stdout } = await promisify(execFile)(command, [...args], { cwd, timeout: 120_000 })
  return stdout.trim().split("\n").at(-1) ?? ""
}

const processOn =
  (command: (project: string) => string, ...options: ReadonlyArray<string>): Runtime =>
  (project, name, args) =>
    output(command(project), [...options, `${name}Process.ts`, ...args], project)

const installed = (name: string) => (project: string) => join(project, "node_modules/.bin", name)

/** The script that runs the bundle in workerd, and prints its response to one request. */
const miniflare = `
import { Miniflare } from "miniflare"
const worker = new Miniflare({ modules: true, scriptPath: process.argv[2], compatibilityDate: "2025-11-01" })
console.log(await (await worker.dispatchFetch("http://worker/")).text())
await worker.dispose()
`

const workerd: Runtime = (project, name, args) => {
  const bundle = `${name}.bundle.js`
  const options = ["--bundle", "--format=esm", "--conditions=workerd,worker,browser", `--outfile=${bundle}`]
  const define = `--define:ARGUMENTS=${JSON.stringify(args)}`
  execFileSync(installed("esbuild")(project), [`${name}Worker.ts`, ...options, define], {
    cwd: project,
    stdio: ["ignore", "ignore", "inherit"]
  })
  writeFileSync(join(project, "miniflare.mjs"), miniflare)
  return output(process.execPath, ["miniflare.mjs", bundle], project)
}

export const runtimes: Readonly<Record<string, Runtime>> = {
  Node: processOn(() => process.execPath),
  Bun: processOn(installed("bun"), "run"),
  Deno: processOn(installed("deno"), "run", "--allow-all", "--quiet"),
  workerd
}
