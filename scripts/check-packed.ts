/**
 * Checks the packages as a user gets them: packed, and installed in empty projects. In a project with all packages, it
 * type-checks the programs directly in examples/, with three versions of TypeScript and without `skipLibCheck`. In
 * projects with the packages that the README installs, it runs the README's first program against the emulator; npm,
 * pnpm, Yarn and Bun each install one of these projects.
 */
import { spawn } from "node:child_process"
import { once } from "node:events"
import { copyFileSync, existsSync, mkdirSync, mkdtempSync, readdirSync, rmSync, statSync, writeFileSync } from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { execPath } from "node:process"
import { runWithEach } from "./managers.ts"
import { installPacked, root, version } from "./packed.ts"
import { runAsync, runTasks } from "./tasks.ts"

const folder = mkdtempSync(join(tmpdir(), "effect-gradient-packed-"))
/** The folder of the project in which all packages are installed. It also has their tarballs. */
const project = join(folder, "all")

const print = (line: string) => process.stdout.write(`${line}\n`)

const checkFiles = () => {
  const scope = join(project, "node_modules/@effect-gradient")
  for (const name of readdirSync(scope)) {
    for (const file of ["LICENSE", "README.md", "package.json"]) {
      if (!existsSync(join(scope, name, file))) throw new Error(`@effect-gradient/${name} is packed without ${file}`)
    }
  }
}

/** The names under which the compilers are installed. `typescript` is TypeScript 7, in the version of the catalog. */
const compilers = ["typescript", "typescript-6", "typescript-5"]

const resolutions = {
  nodenext: { module: "NodeNext" },
  bundler: { module: "ESNext", moduleResolution: "bundler" }
}

const checkTypes = async () => {
  for (const name of readdirSync(join(root, "examples")).filter((file) => /^[a-z-]+\.ts$/.test(file))) {
    copyFileSync(join(root, "examples", name), join(project, name))
  }
  // Declarations are emitted, as for a library, because then each exported type must have a name that can be imported.
  const strict = { strict: true, exactOptionalPropertyTypes: true, skipLibCheck: false }
  const output = {
    target: "ES2024",
    declaration: true,
    emitDeclarationOnly: true,
    allowImportingTsExtensions: true
  }
  const tasks = Object.entries(resolutions).flatMap(([resolution, options]) => {
    const compilerOptions = { ...strict, ...output, ...options }
    const configs = {
      node: { compilerOptions: { ...compilerOptions, types: ["node"] }, include: ["*.ts"] },
      // Code in a page has no types of Node.
      page: { compilerOptions: { ...compilerOptions, types: [] }, files: ["gateway-client.ts"] }
    }
    return Object.entries(configs).flatMap(([name, config]) => {
      const path = join(project, `tsconfig.${resolution}.${name}.json`)
      writeFileSync(path, JSON.stringify(config))
      return compilers.map((compiler) => async () => {
        const outDir = `types/${resolution}.${name}.${compiler}`
        const args = [join(project, "node_modules", compiler, "bin/tsc"), "-p", path, "--outDir", outDir]
        await runAsync(execPath, args, project)
        print(`${compiler}, moduleResolution ${resolution}, ${name}: no type errors`)
      })
    })
  })
  await runTasks(tasks)
}

/** Starts the installed `gradient-images emulator`. Returns its process and its base URL. */
const startEmulator = async () => {
  const bin = join(project, "node_modules/@effect-gradient/cli/dist/bin.js")
  const child = spawn(execPath, [bin, "emulator", "--port", "0"], { stdio: ["ignore", "pipe", "pipe"] })
  let printed = ""
  for (const output of [child.stdout, child.stderr]) output.on("data", (chunk: Buffer) => (printed += chunk.toString()))
  for (let i = 0; i < 600; i++) {
    const url = /http:\/\/[\w.[\]:]+\/v1/.exec(printed)?.[0] ?? /http:\/\/[\w.[\]]+:\d+/.exec(printed)?.[0]
    if (url !== undefined) return { child, baseUrl: url.endsWith("/v1") ? url : `${url}/v1` }
    await new Promise((resolve) => setTimeout(resolve, 50))
  }
  throw new Error(`The emulator did not print its URL. It printed: ${printed}`)
}

const versionOf = (name: string) => version(name).slice(`${name}@`.length)

const runFirstProgram = async () => {
  const { baseUrl, child } = await startEmulator()
  try {
    const published = { effect: versionOf("effect"), "@effect/platform-node": versionOf("@effect/platform-node") }
    const packed = {
      "@effect-gradient/core": join(project, "core.tgz"),
      "@effect-gradient/node": join(project, "node.tgz")
    }
    runWithEach(
      folder,
      { published, packed },
      join(root, "examples/generate.ts"),
      { GRADIENT_BASE_URL: baseUrl, GRADIENT_MODEL_ACCESS_KEY: "any" },
      (manager, its) => print(`Installed with ${manager}: otter.png, ${statSync(join(its, "otter.png")).size} bytes`)
    )
  } finally {
    child.kill("SIGTERM")
    await once(child, "exit")
  }
}

try {
  mkdirSync(project)
  const others = ["typescript-5@npm:typescript@5.9.3", "typescript-6@npm:typescript@6.0.3"]
  installPacked(project, [...["effect", "@effect/platform-node", "typescript", "@types/node"].map(version), ...others])
  checkFiles()
  await checkTypes()
  await runFirstProgram()
} finally {
  rmSync(folder, { recursive: true, force: true })
}
