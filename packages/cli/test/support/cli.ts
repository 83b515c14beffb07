/**
 * Runs the binary as a process. Environment variables for the service and for proxies are not passed on to it, so that
 * the tests do not depend on them.
 */
import { NodeServices } from "@effect/platform-node"
import { Effect, Stream } from "effect"
import { ChildProcess } from "effect/process"
import { spawnSync } from "node:child_process"
import { mkdtemp, rm } from "node:fs/promises"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { binary } from "./binary.ts"

export interface Invocation {
  readonly cwd: string
  /** The content of standard input. Default: nothing. */
  readonly input?: string | Uint8Array
  /** The base URL of the service. If it is set, a key is set too. */
  readonly baseUrl?: string | undefined
  /** The value of the environment variable `GRADIENT_IMAGE_MODEL`. */
  readonly model?: string | undefined
  /** Further environment variables. */
  readonly env?: Readonly<Record<string, string>>
  /** Options of Node itself. */
  readonly nodeOptions?: ReadonlyArray<string>
  /** The file of the binary. Default: the bundled one. */
  readonly file?: string
}

const proxies = ["HTTP_PROXY", "HTTPS_PROXY", "NO_PROXY"].flatMap((name) => [name, name.toLowerCase()])
const withoutProxies = Object.fromEntries(proxies.map((name) => [name, undefined]))

const spawn = Effect.fnUntraced(function* (
  command: string,
  args: ReadonlyArray<string>,
  { baseUrl, cwd, env, input = "", model }: Invocation
) {
  return yield* ChildProcess.make(command, [...args], {
    cwd,
    env: {
      GRADIENT_MODEL_ACCESS_KEY: baseUrl === undefined ? undefined : "sk-do-test",
      DIGITALOCEAN_ACCESS_TOKEN: undefined,
      GRADIENT_BASE_URL: baseUrl,
      GRADIENT_INFERENCE_ENDPOINT: undefined,
      GRADIENT_IMAGE_MODEL: model,
      FORCE_COLOR: undefined,
      NO_COLOR: undefined,
      ...withoutProxies,
      ...env
    },
    extendEnv: true,
    stdin: Stream.make(typeof input === "string" ? new TextEncoder().encode(input) : input),
    forceKillAfter: "5 seconds"
  })
}, Effect.provide(NodeServices.layer))

/** Starts the binary as a process. The process is ended when the scope closes. */
export const start = (args: ReadonlyArray<string>, invocation: Invocation) =>
  spawn(process.execPath, [...(invocation.nodeOptions ?? []), invocation.file ?? binary, ...args], invocation)

const text = <E>(bytes: Stream.Stream<Uint8Array, E>) => Stream.mkString(Stream.decodeText(bytes))

const finish = Effect.fnUntraced(function* ({ exitCode, stderr, stdout }: Effect.Success<ReturnType<typeof start>>) {
  const [code, out, err] = yield* Effect.all([exitCode, text(stdout), text(stderr)], { concurrency: "unbounded" })
  return { code: Number(code), stdout: out, stderr: err }
})

/** Runs the binary to its end. Returns its exit code, standard output and standard error. */
export const run = (args: ReadonlyArray<string>, invocation: Invocation) =>
  start(args, invocation).pipe(Effect.flatMap(finish), Effect.scoped)

/** Whether util-linux's `script` is installed. It gives a process a terminal. */
export const hasTerminal = process.platform === "linux" && spawnSync("script", ["--version"]).status === 0

const quote = (word: string) => `'${word}'`

/**
 * Runs the binary to its end on a terminal with 256 colours and this many columns. The terminal gets both standard
 * output and standard error, and both are returned as `stdout`.
 */
export const runOnTerminal = (columns: number, args: ReadonlyArray<string>, invocation: Invocation) => {
  const command = [process.execPath, binary, ...args].map(quote).join(" ")
  return spawn(
    "script",
    ["-qefc", `stty cols ${columns} rows 24; exec env -u CI TERM=xterm-256color ${command}`, "/dev/null"],
    invocation
  ).pipe(Effect.flatMap(finish), Effect.scoped)
}

/** Runs a shell script to its end. In it `cli` runs the binary, with pipes and redirections if needed. */
export const runInShell = (script: string, invocation: Invocation) =>
  spawn("sh", ["-c", `cli() { ${quote(process.execPath)} ${quote(binary)} "$@"; }; ${script}`], invocation).pipe(
    Effect.flatMap(finish),
    Effect.scoped
  )

/** An empty folder, which is removed when the scope closes. */
export const folder = Effect.acquireRelease(
  Effect.promise(() => mkdtemp(join(tmpdir(), "gradient-images-"))),
  (path) => Effect.promise(() => rm(path, { recursive: true }))
)
