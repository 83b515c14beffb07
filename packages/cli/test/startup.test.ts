import { assert, describe, it } from "@effect/vitest"
import { Effect } from "effect"
import { readFile } from "node:fs/promises"
import { join } from "node:path"
import { built } from "./support/binary.ts"
import { folder, run } from "./support/cli.ts"

/** Options of Node that run a module with this source before the program. */
const preload = (source: string) => ["--import", `data:text/javascript,${encodeURIComponent(source)}`]

/** Options of Node that write the address of each loaded module into a file. */
const recording = (file: string) =>
  preload(`
    import { appendFileSync } from "node:fs"
    import { registerHooks } from "node:module"
    registerHooks({
      load(url, context, next) {
        appendFileSync(${JSON.stringify(file)}, url + "\\n")
        return next(url, context)
      }
    })`)

/** Runs the command line and returns the modules that it loads, without Node's own. */
const modulesOf = Effect.fnUntraced(function* (args: ReadonlyArray<string>) {
  const cwd = yield* folder
  const file = join(cwd, "modules")
  const { code, stdout } = yield* run(args, { cwd, nodeOptions: recording(file), file: built })
  const urls = (yield* Effect.promise(() => readFile(file, "utf8"))).trimEnd().split("\n")
  return { code, stdout, modules: urls.filter((url) => url.startsWith("file:")) }
})

const heavy = /\/(sharp|terminal-image|ora|undici)\/|\/packages\/emulator\/|\/McpServer\.js$|\/cli\/dist\/mcp\//

describe("the start of the command line", () => {
  it.live.each([
    { args: ["--version"], most: 250 },
    { args: ["--help"], most: 250 },
    { args: ["generate", "--help"], most: 340 },
    { args: ["generate", "x", "--colour"], most: 340 }
  ])("$args loads neither the emulator, an image library nor the MCP server", ({ args, most }) =>
    Effect.gen(function* () {
      const { modules } = yield* modulesOf(args)
      assert.deepStrictEqual(
        modules.filter((url) => heavy.test(url)),
        []
      )
      assert.isAtMost(modules.length, most)
      assert.isAbove(modules.length, 10)
    }).pipe(Effect.scoped)
  )

  it.live("generate loads no telemetry, unless the environment names a collector", () =>
    Effect.gen(function* () {
      const { code, modules } = yield* modulesOf(["generate", "x", "--emulate", "-o", "x.png"])
      assert.strictEqual(code, 0)
      assert.deepStrictEqual(
        modules.filter((url) => /\/effect\/dist\/(ai|observability)\/|ImagesTelemetry|internal\/telemetry/.test(url)),
        []
      )
    }).pipe(Effect.scoped)
  )

  it.live("on an old Node says in one line what it needs, and loads nothing else", () =>
    Effect.gen(function* () {
      const cwd = yield* folder
      const file = join(cwd, "modules")
      const old = preload(
        'Object.defineProperty(process, "versions", { value: { ...process.versions, node: "20.19.0" } })'
      )
      const { code, stderr, stdout } = yield* run(["generate", "x"], {
        cwd,
        nodeOptions: [...old, ...recording(file)],
        file: built
      })
      assert.deepStrictEqual([code, stdout], [1, ""])
      assert.strictEqual(
        stderr,
        "gradient-images needs Node 22.19 or later (this is 20.19.0): install it from nodejs.org.\n"
      )
      const loaded = (yield* Effect.promise(() => readFile(file, "utf8"))).split("\n")
      assert.strictEqual(loaded.filter((url) => url.startsWith("file:")).length, 1)
    }).pipe(Effect.scoped)
  )
})
