/**
 * Checks the packages as a user gets them: packed, and installed with npm in an empty project with `effect` and
 * `@effect/platform-node`. It type-checks the examples with two versions of TypeScript, with declarations and without
 * `skipLibCheck`. Then it runs the README's first program against the emulator.
 */
import { execFileSync, spawn } from "node:child_process"
import { once } from "node:events"
import { copyFileSync, mkdtempSync, readdirSync, rmSync, statSync, writeFileSync } from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { env } from "node:process"
import { installPacked, root, run, version } from "./packed.ts"

const project = mkdtempSync(join(tmpdir(), "effect-gradient-packed-"))

/** Starts the installed `gradient-images emulator`, and returns its base URL. */
const startEmulator = async () => {
  const child = spawn(join(project, "node_modules/.bin/gradient-images"), ["emulator", "--port", "0"], {
    stdio: ["ignore", "pipe", "pipe"]
  })
  let printed = ""
  for (const output of [child.stdout, child.stderr]) output.on("data", (chunk: Buffer) => (printed += chunk.toString()))
  for (let i = 0; i < 600; i++) {
    const url = /http:\/\/[\w.[\]:]+\/v1/.exec(printed)?.[0] ?? /http:\/\/[\w.[\]]+:\d+/.exec(printed)?.[0]
    if (url !== undefined) return { child, baseUrl: url.endsWith("/v1") ? url : `${url}/v1` }
    await new Promise((resolve) => setTimeout(resolve, 50))
  }
  throw new Error(`the emulator printed no URL: ${printed}`)
}

try {
  installPacked(project, [
    ...["effect", "@effect/platform-node", "typescript", "@types/node"].map(version),
    "typescript-5@npm:typescript@5.9.3"
  ])

  for (const name of readdirSync(join(root, "examples")).filter((file) => /^[a-z-]+\.ts$/.test(file))) {
    copyFileSync(join(root, "examples", name), join(project, name))
  }
  // With declarations, as in a library: they require that each exported type has a name that can be imported.
  const strict = { strict: true, exactOptionalPropertyTypes: true, skipLibCheck: false }
  const output = { module: "NodeNext", target: "ES2024", declaration: true, emitDeclarationOnly: true, outDir: "types" }
  const compilerOptions = { ...strict, ...output }
  writeFileSync(join(project, "tsconfig.json"), JSON.stringify({ compilerOptions, include: ["*.ts"] }))
  // A page does not have Node's types.
  const page = { compilerOptions: { ...compilerOptions, types: [] }, files: ["gateway-client.ts"] }
  writeFileSync(join(project, "tsconfig.page.json"), JSON.stringify(page))
  for (const compiler of ["typescript", "typescript-5"]) {
    const tsc = join(project, "node_modules", compiler, "bin/tsc")
    for (const config of [".", "tsconfig.page.json"]) run(process.execPath, [tsc, "-p", config], project)
  }

  const { baseUrl, child } = await startEmulator()
  execFileSync(process.execPath, ["generate.ts"], {
    cwd: project,
    stdio: "inherit",
    env: { ...env, GRADIENT_BASE_URL: baseUrl, GRADIENT_MODEL_ACCESS_KEY: "any" }
  })
  child.kill("SIGTERM")
  await once(child, "exit")
  process.stdout.write(`Packed, installed and run: otter.png, ${statSync(join(project, "otter.png")).size} bytes\n`)
} finally {
  rmSync(project, { recursive: true, force: true })
}
