/**
 * Packs the packages of the workspace, and installs them with npm in an empty project, as a user would.
 */
import { execFileSync } from "node:child_process"
import { readdirSync, readFileSync, writeFileSync } from "node:fs"
import { join } from "node:path"
import { env, execPath, platform } from "node:process"

export const root = join(import.meta.dirname, "..")

/** On Windows, every command except Node runs in a shell, because npm and npx are scripts there. */
const needsShell = (command: string) => platform === "win32" && command !== execPath

/** Runs a command. Its output goes to this process's output. */
export const run = (
  command: string,
  args: ReadonlyArray<string>,
  cwd: string,
  variables: Readonly<Record<string, string>> = {}
) =>
  execFileSync(command, args, {
    cwd,
    env: { ...env, ...variables },
    stdio: ["ignore", "inherit", "inherit"],
    shell: needsShell(command)
  })

/** Runs a command, and returns its standard output, without white space at the start and the end. */
export const outputOf = (command: string, args: ReadonlyArray<string>, cwd: string) =>
  execFileSync(command, args, { cwd, stdio: ["ignore", "pipe", "inherit"], shell: needsShell(command) })
    .toString()
    .trim()

/** Returns a package with its version in the catalog of the workspace, such as `effect@4.1.0`. */
export const version = (name: string) => {
  const line = readFileSync(join(root, "pnpm-workspace.yaml"), "utf8").match(new RegExp(`^ +"?${name}"?: (.+)$`, "m"))
  if (line?.[1] === undefined) throw new Error(`${name} is not in the catalog of pnpm-workspace.yaml`)
  return `${name}@${line[1]}`
}

/** Packs all packages of the workspace into a folder, and returns the names of the files. Build the packages first. */
const packAll = (folder: string): ReadonlyArray<string> =>
  readdirSync(join(root, "packages"), { withFileTypes: true })
    .filter((entry) => entry.isDirectory())
    .map(({ name }) => {
      const file = `${name}.tgz`
      run("npx", ["--yes", "pnpm", "pack", "--silent", "--out", join(folder, file)], join(root, "packages", name))
      return file
    })

/** Installs all packages of the workspace in the folder `project`, and `others` from npm. Build the packages first. */
export const installPacked = (project: string, others: ReadonlyArray<string>) => {
  const packed = packAll(project).map((file) => `./${file}`)
  writeFileSync(join(project, "package.json"), JSON.stringify({ name: "packed", private: true, type: "module" }))
  run("npm", ["install", "--no-audit", "--no-fund", "--loglevel=error", ...packed, ...others], project)
}
