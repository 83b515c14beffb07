import { assert, describe, it } from "@effect/vitest"
import { Effect, Stream } from "effect"
import { ChildProcess } from "effect/process"
import { NodeServices } from "@effect/platform-node"
import { DockerfileParser, type JSONInstruction } from "dockerfile-ast"
import { validate } from "dockerfile-utils"
import { execFileSync } from "node:child_process"
import { mkdirSync, readFileSync } from "node:fs"
import { join } from "node:path"
import { env as ambient } from "node:process"
import { fileURLToPath } from "node:url"
import { folder } from "./support/cli.ts"

const root = fileURLToPath(new URL("../../..", import.meta.url))
const text = readFileSync(join(root, "Dockerfile"), "utf8")
const dockerfile = DockerfileParser.parse(text)
const argumentsOf = (keyword: string) =>
  dockerfile
    .getInstructions()
    .filter((instruction) => instruction.getKeyword() === keyword)
    .map((instruction) => instruction.getArgumentsContent() ?? "")

const words = (instructions: ReadonlyArray<JSONInstruction>) =>
  instructions.flatMap((instruction) => instruction.getJSONStrings().map((word) => word.getJSONValue()))

/** Packs the command line, and the packages of this repository that it needs, into this new folder. */
const pack = (tarballs: string) => {
  mkdirSync(tarballs)
  const filters = ["core", "node", "durable", "emulator", "gateway", "cli"].map((name) => `--filter=./packages/${name}`)
  execFileSync("npx", ["--yes", "pnpm", ...filters, "pack", "--pack-destination", tarballs], {
    cwd: root,
    stdio: "ignore"
  })
}

describe("the Dockerfile", () => {
  it("has nothing that a linter warns of, and does not run as root", () => {
    assert.deepStrictEqual(
      validate(text).map(({ message }) => message),
      []
    )
    assert.deepStrictEqual(argumentsOf("USER"), ["node"])
  })

  it.live(
    "its commands install the packed packages, start a gateway that its health check finds, and end with 0",
    () =>
      Effect.gen(function* () {
        const place = yield* folder
        const context = join(place, "context")
        mkdirSync(context)
        pack(join(context, "tarballs"))
        const inside = (part: string) => part.replaceAll("/app", join(place, "app")).replaceAll("/context", context)
        for (const command of argumentsOf("RUN")) {
          const script = inside(command.replace(/^--mount=\S+ /, "")).replace(
            "${PACKAGES}",
            `${context}/tarballs/*.tgz`
          )
          execFileSync("sh", ["-c", script], { cwd: place, stdio: "ignore" })
        }
        const variables = Object.fromEntries(
          argumentsOf("ENV")
            .flatMap((line) => line.split(" "))
            .map((pair): [string, string] => [pair.slice(0, pair.indexOf("=")), pair.slice(pair.indexOf("=") + 1)])
        )
        const env = {
          ...variables,
          HOST: "127.0.0.1",
          PORT: "0",
          GATEWAY_KEYS: "alice",
          NODE_COMPILE_CACHE: "", // A cache of these modules would not be used again, because the folder is temporary.
          GRADIENT_MODEL_ACCESS_KEY: "any"
        }
        const [command = "", ...args] = words([...dockerfile.getENTRYPOINTs(), ...dockerfile.getCMDs()]).map(inside)
        const gateway = yield* ChildProcess.make(command, args, { env, extendEnv: true, cwd: place })
        const line = yield* gateway.stdout.pipe(Stream.decodeText, Stream.splitLines, Stream.runHead)
        const port = /:(\d+)\/v1/.exec(line._tag === "Some" ? line.value : "")?.[1] ?? ""
        const [check] = argumentsOf("HEALTHCHECK")
        const [, node = "", flag = "", program = ""] = /^CMD \["(\w+)", "(-e)", "(.*)"\]$/.exec(check ?? "") ?? []
        execFileSync(node, [flag, program], { env: { ...ambient, PORT: port } })
        yield* gateway.kill({ killSignal: "SIGTERM" })
        assert.strictEqual(Number(yield* gateway.exitCode), 0)
      }).pipe(Effect.scoped, Effect.provide(NodeServices.layer)),
    240_000
  )
})
