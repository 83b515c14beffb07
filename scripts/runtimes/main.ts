/**
 * `pnpm check:runtimes`: the packed packages on Node, Bun, Deno and workerd, all from npm. The same requests run against
 * the gateway's web handler on each. Prints what failed, and exits with 1 if anything did.
 */
import { execFile, execFileSync } from "node:child_process"
import { copyFileSync, mkdtempSync, readdirSync, rmSync, writeFileSync } from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { promisify } from "node:util"
import { installPacked, version } from "../packed.ts"
import type { Row } from "./gatewayCases.ts"
import { startUpstream } from "./upstream.ts"

const tools = ["bun@1.4.5", "deno@2.9.6", "miniflare@4.20260730.0", "esbuild@0.28.2"]

const isRow = (value: unknown): value is Row => typeof value === "object" && value !== null && "isRight" in value

const rowsOf = (text: string): ReadonlyArray<Row> => {
  const value: unknown = JSON.parse(text.trim().split("\n").at(-1) ?? "")
  if (!Array.isArray(value)) throw new Error(`no rows: ${text}`)
  return value.filter(isRow)
}

type Runtime = (project: string, upstream: string) => Promise<string>

const processOn =
  (command: string, ...args: ReadonlyArray<string>): Runtime =>
  async (project, upstream) => {
    const all = [...args, "gatewayProcess.ts", upstream]
    const { stdout } = await promisify(execFile)(command, all, { cwd: project, timeout: 120_000 })
    return stdout
  }

const installed =
  (name: string, ...args: ReadonlyArray<string>): Runtime =>
  (project, upstream) =>
    processOn(join(project, "node_modules/.bin", name), ...args)(project, upstream)

const workerd: Runtime = async (project, upstream) => {
  const bundle = join(project, "worker.js")
  const options = ["--bundle", "--format=esm", "--conditions=workerd,worker,browser", `--outfile=${bundle}`]
  const define = `--define:UPSTREAM=${JSON.stringify(upstream)}`
  execFileSync(join(project, "node_modules/.bin/esbuild"), ["gatewayWorker.ts", ...options, define], {
    cwd: project,
    stdio: ["ignore", "ignore", "inherit"]
  })
  const { stdout } = await promisify(execFile)(process.execPath, ["miniflare.mjs"], { cwd: project, timeout: 120_000 })
  return stdout
}

/** Runs the bundle in workerd, and prints what its one request gives. */
const miniflare = `
import { Miniflare } from "miniflare"
const worker = new Miniflare({ modules: true, scriptPath: "worker.js", compatibilityDate: "2025-11-01" })
console.log(await (await worker.dispatchFetch("http://worker/")).text())
await worker.dispose()
`

const runtimes: Readonly<Record<string, Runtime>> = {
  Node: processOn(process.execPath),
  Bun: installed("bun", "run"),
  Deno: installed("deno", "run", "--allow-all", "--quiet"),
  workerd
}

const project = mkdtempSync(join(tmpdir(), "effect-gradient-runtimes-"))
const upstream = await startUpstream()
try {
  installPacked(project, [version("effect"), version("@effect/platform-node"), ...tools])
  for (const name of readdirSync(import.meta.dirname).filter((file) => file.startsWith("gateway"))) {
    copyFileSync(join(import.meta.dirname, name), join(project, name))
  }
  writeFileSync(join(project, "miniflare.mjs"), miniflare)
  for (const [name, runtime] of Object.entries(runtimes)) {
    const rows = rowsOf(await runtime(project, upstream.url))
    const wrong = rows.filter(({ isRight }) => !isRight)
    console.log(`${name}: ${rows.length - wrong.length} of ${rows.length} right`)
    for (const row of wrong) console.log(`  ${row.name}: ${row.given}`)
    if (wrong.length > 0 || rows.length === 0) process.exitCode = 1
  }
} finally {
  upstream.stop()
  rmSync(project, { recursive: true, force: true })
}
