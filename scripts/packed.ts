/** Packs the packages, and installs them with npm in an empty project, as a user would. */
import { execFileSync } from "node:child_process"
import { readdirSync, readFileSync, writeFileSync } from "node:fs"
import { join } from "node:path"

/** The root folder of the workspace. */
export const root = join(import.meta.dirname, "..")

/** Runs a command. Its output goes to this process's output. */
export const run = (command: string, args: ReadonlyArray<string>, cwd: string) =>
  execFileSync(command, args, { cwd, stdio: ["ignore", "inherit", "inherit"] })

/** A package with its version in the catalog, such as `effect@4.1.0`. */
export const version = (name: string) => {
  const line = readFileSync(join(root, "pnpm-workspace.yaml"), "utf8").match(new RegExp(`^ +"?${name}"?: (.+)$`, "m"))
  if (line?.[1] === undefined) throw new Error(`${name} is not in the catalog`)
  return `${name}@${line[1]}`
}

/** Installs all packages of the workspace, and `others` from npm. The packages must be built before. */
export const installPacked = (project: string, others: ReadonlyArray<string>) => {
  for (const entry of readdirSync(join(root, "packages"), { withFileTypes: true })) {
    if (!entry.isDirectory()) continue
    const folder = join(root, "packages", entry.name)
    execFileSync("npx", ["--yes", "pnpm", "pack", "--pack-destination", project], {
      cwd: folder,
      stdio: ["ignore", "ignore", "inherit"]
    })
  }
  const tarballs = readdirSync(project).filter((name) => name.endsWith(".tgz"))
  writeFileSync(join(project, "package.json"), JSON.stringify({ name: "packed", private: true, type: "module" }))
  const options = ["--no-audit", "--no-fund", "--loglevel=error"]
  run("npm", ["install", ...options, ...tarballs.map((name) => `./${name}`), ...others], project)
}
