/** Runs a program on a version of Node, on Bun, Deno or workerd. All but the current Node are npm packages. */
import { execFile, execFileSync } from "node:child_process"
import { writeFileSync } from "node:fs"
import { join } from "node:path"
import { arch, platform, version } from "node:process"
import { promisify } from "node:util"

/** The oldest version of Node that is supported, and the newest. The one in between is the one that runs this script. */
const nodes = ["22.19.0", "26.10.0"]

const nodeName = (nodeVersion: string) => `Node ${nodeVersion.replace(/\.\d+$/, "")}`

/** The package of the binary alone: that of `node` would replace the npm that installs it. */
const nodePackage = (nodeVersion: string) =>
  `node-${nodeVersion}@npm:node-${platform === "win32" ? "win" : platform}-${arch}@${nodeVersion}`

/** The npm packages of the runtimes, and the bundler for workerd. */
export const tools = [...nodes.map(nodePackage), "bun@1.4.5", "deno@2.9.6", "miniflare@4.20260730.0", "esbuild@0.28.2"]

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

const nodeOf = (nodeVersion: string) => (project: string) =>
  join(project, "node_modules", `node-${nodeVersion}`, "bin", platform === "win32" ? "node.exe" : "node")

const [oldest = "", newest = ""] = nodes

export const runtimes: Readonly<Record<string, Runtime>> = {
  [nodeName(oldest)]: processOn(nodeOf(oldest)),
  [nodeName(version.slice(1))]: processOn(() => process.execPath),
  [nodeName(newest)]: processOn(nodeOf(newest)),
  Bun: processOn(installed("bun"), "run"),
  Deno: processOn(installed("deno"), "run", "--allow-all", "--quiet"),
  workerd
}
