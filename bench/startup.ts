/**
 * Measures how long new processes take from start to end, with the built packages as they are published.
 */
import { Schema } from "effect"
import { execFileSync } from "node:child_process"
import { cpSync, mkdirSync, mkdtempSync, readFileSync, realpathSync, rmSync, symlinkSync, writeFileSync } from "node:fs"
import { createRequire } from "node:module"
import { tmpdir } from "node:os"
import { dirname, join } from "node:path"
import { env, execPath } from "node:process"
import { type Spread, spreadOf } from "./statistics.ts"

const packages = join(import.meta.dirname, "..", "packages")

const Manifest = Schema.StructWithRest(Schema.Struct({ publishConfig: Schema.Record(Schema.String, Schema.Unknown) }), [
  Schema.Record(Schema.String, Schema.Unknown)
])
const decodeManifest = Schema.decodeSync(Schema.fromJsonString(Manifest))

/**
 * Makes a folder with the programs of `startup/` and the built packages core, node and cli, and returns its path. The
 * packages are built to JavaScript, so that Node has no types to strip.
 */
const makeProject = (): string => {
  execFileSync("npx", ["--yes", "pnpm", "build"], { cwd: join(packages, ".."), stdio: ["ignore", "ignore", "inherit"] })
  const project = realpathSync(mkdtempSync(join(tmpdir(), "effect-gradient-startup-")))
  const modules = join(project, "node_modules")
  cpSync(join(import.meta.dirname, "startup"), project, { recursive: true })
  for (const name of ["core", "node", "cli"]) {
    const installed = join(modules, "@effect-gradient", name)
    cpSync(join(packages, name, "dist"), join(installed, "dist"), { recursive: true })
    const manifest = decodeManifest(readFileSync(join(packages, name, "package.json"), "utf8"))
    writeFileSync(join(installed, "package.json"), JSON.stringify({ ...manifest, ...manifest.publishConfig }))
  }
  mkdirSync(join(modules, "@effect"))
  for (const name of ["effect", "@effect/platform-node"]) {
    symlinkSync(dirname(createRequire(import.meta.url).resolve(`${name}/package.json`)), join(modules, name))
  }
  return project
}

interface Program {
  readonly title: string
  readonly args: ReadonlyArray<string>
  /**
   * An index in `programs`. The ratio of this program is its time divided by the time of the program at that index. The
   * report shows no ratio if this is the program's own index.
   */
  readonly over: number
  readonly budget?: number
}

const programs: ReadonlyArray<Program> = [
  {
    title: "only the modules of Effect, platform-node and undici that the README's first program loads",
    args: ["baseline.mjs"],
    over: 0
  },
  { title: "all modules that the README's first program imports", args: ["import.mjs"], over: 0, budget: 1.25 },
  {
    title: "the README's first program without its file: one call, an image of 1.5 MB",
    args: ["firstCall.mjs"],
    over: 0,
    budget: 1.8
  },
  { title: "the same call with Effect and undici alone", args: ["firstCallOnEffect.mjs"], over: 0 },
  { title: "node with `effect/cli` alone", args: ["effectCli.mjs"], over: 4 },
  {
    title: "`gradient-images --version`",
    args: ["node_modules/@effect-gradient/cli/dist/bin.js", "--version"],
    over: 4,
    budget: 2
  }
]

export interface Start extends Program {
  readonly millis: Spread
  readonly ratio: Spread
}

/** Runs the programs one after another, in each round. The server at this URL replies to their calls. */
export const startups = (serverUrl: string, rounds: number): ReadonlyArray<Start> => {
  const project = makeProject()
  const { PATH } = env
  const ownEnv = { PATH, GRADIENT_BASE_URL: serverUrl, GRADIENT_MODEL_ACCESS_KEY: "bench" }
  const timeOf = ({ args }: Program): number => {
    const start = performance.now()
    execFileSync(execPath, args, { cwd: project, env: ownEnv, stdio: ["ignore", "pipe", "inherit"] })
    return performance.now() - start
  }
  try {
    for (const program of programs) timeOf(program)
    const times = Array.from({ length: rounds }, () => programs.map(timeOf))
    const column = (index: number) => times.map((round) => round[index] ?? Number.NaN)
    return programs.map((program, index) => ({
      ...program,
      millis: spreadOf(column(index)),
      ratio: spreadOf(times.map((round) => (round[index] ?? Number.NaN) / (round[program.over] ?? Number.NaN)))
    }))
  } finally {
    rmSync(project, { recursive: true, force: true })
  }
}
