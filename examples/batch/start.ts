/**
 * `node examples/batch/start.ts [postgres://... [requests]]`: runs a batch of requests (default: 2,000) on three
 * runners, and kills one runner when more than a third of the images have been paid for. The requests go to the
 * emulator, which counts the generations that would have been paid for. The journal is in the PostgreSQL at the URL. If
 * no URL is given, the program starts a PostgreSQL from npm.
 */
import { NodeRuntime } from "@effect/platform-node"
import { Emulator, Ledger } from "@effect-gradient/emulator"
import { Console, Effect, Layer, Option } from "effect"
import { spawn } from "node:child_process"
import { once } from "node:events"
import { mkdtemp, rm, writeFile } from "node:fs/promises"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { argv, env, execPath } from "node:process"
import { postgres } from "../../packages/durable/test/support/postgres.ts"

const total = Number(argv[3] ?? 2000)

const folder = Effect.acquireRelease(
  Effect.promise(() => mkdtemp(join(tmpdir(), "gradient-batch-"))),
  (path) => Effect.promise(() => rm(path, { recursive: true, force: true }))
)

/**
 * The URL of the PostgreSQL for the journal: the given URL, or that of a PostgreSQL from npm, which stops when the
 * scope closes.
 */
const journalUrl = Effect.gen(function* () {
  const [, , given] = argv
  if (given?.startsWith("postgres") === true) return given
  const server = yield* postgres
  if (Option.isSome(server)) return server.value.url
  const advice = "Give the URL of a running PostgreSQL: pnpm example:batch postgres://..."
  return yield* Effect.fail(
    new Error(
      `PostgreSQL cannot be started here. For root, every user must be able to enter this repository. ${advice}`
    )
  )
})

const bin = join(import.meta.dirname, "../../packages/cli/src/bin.ts")

/** Starts a runner in a process of its own. */
const start = (args: ReadonlyArray<string>, baseUrl: string) =>
  spawn(execPath, [bin, "batch", ...args], {
    stdio: "inherit",
    env: { ...env, GRADIENT_MODEL_ACCESS_KEY: "any", GRADIENT_BASE_URL: baseUrl }
  })

const ended = (child: ReturnType<typeof start>) =>
  Effect.promise(async () => {
    if (child.exitCode === null && child.signalCode === null) await once(child, "exit")
  })

const program = Effect.gen(function* () {
  const parent = yield* folder
  const journal = yield* journalUrl
  const baseUrl = yield* Emulator.baseUrl
  const { account } = yield* Ledger.Ledger
  const paid = Effect.map(account, ({ entries }) => entries.length)
  const file = join(parent, "otters.jsonl")
  const lines = Array.from(
    { length: total },
    (_, index) => `{"id":"${index}","prompt":"An otter, number ${index}","size":"64x64"}\n`
  )
  yield* Effect.promise(() => writeFile(file, lines.join("")))
  const place = ["--store", join(parent, "images"), "--journal", journal, "--concurrency", "8"]

  const first = start(["run", file, ...place], baseUrl)
  yield* Effect.repeat(Effect.delay(paid, "100 millis"), { until: (count) => count > 0 })
  const others = [start(["worker", "otters", ...place], baseUrl), start(["worker", "otters", ...place], baseUrl)]
  yield* Effect.repeat(Effect.delay(paid, "100 millis"), { until: (count) => count > total / 3 })
  yield* Console.log("Killing one of the three runners.")
  first.kill("SIGKILL")
  yield* Effect.forEach(others, ended, { concurrency: "unbounded" })
  const { entries } = yield* account
  const prompts = new Set(entries.map(({ prompt }) => prompt))
  yield* Console.log(
    `${total} requests, ${entries.length} generations paid for, ${entries.length - prompts.size} of them twice.`
  )
})

program.pipe(
  Effect.provide(Layer.fresh(Emulator.layerServer({ port: 0, images: "plain" }))),
  Effect.scoped,
  NodeRuntime.runMain
)
