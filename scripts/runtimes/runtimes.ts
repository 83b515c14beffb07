/**
 * Runs a program on a version of Node, on Bun, Deno, workerd or Chromium. Each runtime is an npm package, except the
 * Node that runs this script.
 */
import { execFileSync } from "node:child_process"
import { writeFileSync } from "node:fs"
import { join } from "node:path"
import { arch, platform, version } from "node:process"
import * as Chromium from "./chromium.ts"
import { lastLine } from "./processes.ts"
import { version as packageVersion } from "../packed.ts"

/**
 * The oldest version of Node that is supported, and a newer one. A third version is tested too: the one that runs this
 * script.
 */
const nodes = ["22.19.0", "26.10.0"]

const nodeName = (nodeVersion: string) => `Node ${nodeVersion.replace(/\.\d+$/, "")}`

/**
 * The npm package that contains only Node's binary. The package `node` would also put its binary in front of the Node
 * that runs npm.
 */
const nodePackage = (nodeVersion: string) =>
  `node-${nodeVersion}@npm:node-${platform === "win32" ? "win" : platform}-${arch}@${nodeVersion}`

/** The npm packages to install: the runtimes except Chromium, and the bundler for workerd and Chromium. */
export const tools = [...nodes.map(nodePackage), "bun@1.4.5", "deno@2.9.6", "miniflare@4.20260730.0", "esbuild@0.28.2"]

/**
 * A function that runs a program in the project's folder, and returns the program's results as JSON. The program is
 * `<name>Process.ts`, with `args` on its command line. On workerd it is `<name>Worker.ts`, and in Chromium
 * `<name>Page.ts`, with `args` in the constant `ARGUMENTS`.
 */
type Runtime = (project: string, name: string, args: ReadonlyArray<string>) => Promise<string>

const processOn =
  (command: (project: string) => string, ...options: ReadonlyArray<string>): Runtime =>
  (project, name, args) =>
    lastLine(command(project), [...options, `${name}Process.ts`, ...args], project)

const installed = (name: string) => (project: string) => join(project, "node_modules/.bin", name)

/** Bundles a program with these arguments, and returns the name of the bundle's file. */
const bundle = (project: string, program: string, args: ReadonlyArray<string>, conditions: string) => {
  const file = `${program}.bundle.js`
  const options = ["--bundle", "--format=esm", `--conditions=${conditions}`, `--outfile=${file}`]
  const define = `--define:ARGUMENTS=${JSON.stringify(args)}`
  execFileSync(installed("esbuild")(project), [`${program}.ts`, ...options, define], {
    cwd: project,
    stdio: ["ignore", "ignore", "inherit"]
  })
  return file
}

/** The source of a script that loads the bundle in workerd, sends one request to it, and prints the response. */
const miniflare = `
import { Miniflare } from "miniflare"
const worker = new Miniflare({ modules: true, scriptPath: process.argv[2], compatibilityDate: "2025-11-01" })
console.log(await (await worker.dispatchFetch("http://worker/")).text())
await worker.dispose()
`

const workerd: Runtime = (project, name, args) => {
  writeFileSync(join(project, "miniflare.mjs"), miniflare)
  const file = bundle(project, `${name}Worker`, args, "workerd,worker,browser")
  return lastLine(process.execPath, ["miniflare.mjs", file], project)
}

const chromium: Runtime = (project, name, args) => {
  const [service = ""] = args
  return Chromium.resultInPage(project, bundle(project, `${name}Page`, args, "browser"), service)
}

const nodeOf = (nodeVersion: string) => (project: string) =>
  join(project, "node_modules", `node-${nodeVersion}`, "bin", platform === "win32" ? "node.exe" : "node")

const [oldest = "", newest = ""] = nodes

/** The major version of Chromium, from the version of its npm package. */
export const chromiumVersion = packageVersion("@sparticuz/chromium").replace(/^.*@(\d+).*$/, "$1")

/**
 * Chromium, if its npm package runs on this machine: it is for Linux on x64. It only makes the calls, because the
 * gateway does not run in a page.
 */
export const browsers: Readonly<Record<string, Runtime>> = Chromium.isAvailable ? { Chromium: chromium } : {}

export const runtimes: Readonly<Record<string, Runtime>> = {
  [nodeName(oldest)]: processOn(nodeOf(oldest)),
  [nodeName(version.slice(1))]: processOn(() => process.execPath),
  [nodeName(newest)]: processOn(nodeOf(newest)),
  Bun: processOn(installed("bun"), "run"),
  Deno: processOn(installed("deno"), "run", "--allow-all", "--quiet"),
  workerd
}
