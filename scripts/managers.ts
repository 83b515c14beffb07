/**
 * Installs packed packages with npm, pnpm, Yarn and Bun, each in an empty project, and runs a program in each project
 * on Node.
 */
import { copyFileSync, mkdirSync, writeFileSync } from "node:fs"
import { basename, join } from "node:path"
import { execPath } from "node:process"
import { outputOf, run } from "./packed.ts"

/** The name of a command, and its first arguments. */
type Command = readonly [string, ...ReadonlyArray<string>]

interface Manager {
  readonly install: Command
  /** The command that runs a file on Node, without the name of the file. */
  readonly node: Command
}

const yarn = ["npx", "--yes", "--package", "@yarnpkg/cli-dist@4.18.1", "yarn"] as const

const managers: Readonly<Record<string, Manager>> = {
  npm: { install: ["npm", "install", "--no-audit", "--no-fund", "--loglevel=error"], node: [execPath] },
  pnpm: { install: ["npx", "--yes", "pnpm", "install", "--no-frozen-lockfile", "--reporter=silent"], node: [execPath] },
  // Yarn makes no node_modules folder, so only Node that is started by `yarn node` finds the packages.
  yarn: { install: [...yarn, "install", "--no-immutable"], node: [...yarn, "node"] },
  bun: { install: ["npx", "--yes", "bun@1.4.5", "install", "--silent"], node: [execPath] }
}

/** What to install in an empty project: published packages by name and version, and packed ones by name and file. */
export interface Dependencies {
  readonly published: Readonly<Record<string, string>>
  readonly packed: Readonly<Record<string, string>>
}

const writeProject = (project: string, { packed, published }: Dependencies) => {
  const files = Object.fromEntries(Object.entries(packed).map(([name, file]) => [name, `file:${file}`]))
  const dependencies = { ...published, ...files }
  mkdirSync(project)
  // The packed packages depend on each other in a version that may not be on npm yet. `resolutions` makes Yarn and Bun
  // use the files, and `overrides` makes pnpm use them. npm needs neither.
  const manifest = { name: "empty", private: true, type: "module", dependencies, resolutions: files }
  writeFileSync(join(project, "package.json"), JSON.stringify(manifest))
  writeFileSync(join(project, "pnpm-workspace.yaml"), JSON.stringify({ overrides: files }))
}

/**
 * For each manager, installs the dependencies in a folder of its own, runs the program there, and calls `check` with
 * the manager's name and the folder.
 */
export const runWithEach = (
  folder: string,
  dependencies: Dependencies,
  program: string,
  variables: Readonly<Record<string, string>>,
  check: (manager: string, project: string) => void
) => {
  // Yarn does not read the registry from npm's configuration, so it gets the registry in a variable.
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
