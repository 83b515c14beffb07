/** Installs packed packages with npm, pnpm, Yarn and Bun in empty projects, and runs a program there on Node. */
import { copyFileSync, mkdirSync, writeFileSync } from "node:fs"
import { basename, join } from "node:path"
import { execPath } from "node:process"
import { outputOf, run } from "./packed.ts"

/** A command and its first arguments. */
type Command = readonly [string, ...ReadonlyArray<string>]

interface Manager {
  readonly install: Command
  /** Runs a file on Node. */
  readonly node: Command
}

const yarn = ["npx", "--yes", "--package", "@yarnpkg/cli-dist@4.18.1", "yarn"] as const

const managers: Readonly<Record<string, Manager>> = {
  npm: { install: ["npm", "install", "--no-audit", "--no-fund", "--loglevel=error"], node: [execPath] },
  pnpm: { install: ["npx", "--yes", "pnpm", "install", "--no-frozen-lockfile", "--reporter=silent"], node: [execPath] },
  // Yarn has no node_modules: only its own node finds the packages.
  yarn: { install: [...yarn, "install", "--no-immutable"], node: [...yarn, "node"] },
  bun: { install: ["npx", "--yes", "bun@1.4.5", "install", "--silent"], node: [execPath] }
}

/** What an empty project installs: packages of npm by their version, and packed ones by their file. */
export interface Dependencies {
  readonly published: Readonly<Record<string, string>>
  readonly packed: Readonly<Record<string, string>>
}

const writeProject = (project: string, { packed, published }: Dependencies) => {
  const files = Object.fromEntries(Object.entries(packed).map(([name, file]) => [name, `file:${file}`]))
  const dependencies = { ...published, ...files }
  mkdirSync(project)
  // The packed packages depend on each other by version, which is not on npm yet.
  const manifest = { name: "empty", private: true, type: "module", dependencies, resolutions: files }
  writeFileSync(join(project, "package.json"), JSON.stringify(manifest))
  writeFileSync(join(project, "pnpm-workspace.yaml"), JSON.stringify({ overrides: files }))
}

/** Runs the program with each manager, in a folder of its own, and calls `check` with that folder. */
export const runWithEach = (
  folder: string,
  dependencies: Dependencies,
  program: string,
  variables: Readonly<Record<string, string>>,
  check: (manager: string, project: string) => void
) => {
  // Yarn does not read npm's configuration.
  const registry = { YARN_NPM_REGISTRY_SERVER: outputOf("npm", ["config", "get", "registry"], folder) }
  for (const [name, { install, node }] of Object.entries(managers)) {
    const project = join(folder, name)
    writeProject(project, dependencies)
    copyFileSync(program, join(project, basename(program)))
    const [installer, ...options] = install
    run(installer, options, project, registry)
    const [command, ...args] = node
    run(command, [...args, basename(program)], project, variables)
    check(name, project)
  }
}
