import { assert, describe, it } from "@effect/vitest"
import { NodeServices } from "@effect/platform-node"
import { type GradientClient, GradientError, Images, RetryPolicy } from "@effect-gradient/core"
import { TestTransport } from "@effect-gradient/core/testing"
import type { NodeImages } from "@effect-gradient/node"
import { Config, Effect, Fiber, Schema, Stream } from "effect"
import { ChildProcess } from "effect/process"
import { TestClock } from "effect/testing"
import { existsSync, globSync, readFileSync } from "node:fs"
import { mkdtemp, readdir, rm, writeFile } from "node:fs/promises"
import { tmpdir } from "node:os"
import { fileURLToPath, URL } from "node:url"
import { basename, delimiter, dirname, join } from "node:path"

const root = fileURLToPath(new URL("..", import.meta.url))
const read = (path: string) => readFileSync(join(root, path), "utf8")
const documents = ["README.md", "CONTRIBUTING.md", ...globSync(["packages/*/README.md", "docs/*.md"], { cwd: root })]

const blocks = (markdown: string, language: string) =>
  Array.from(markdown.matchAll(new RegExp(`^\`\`\`${language}\\n(.*?)^\`\`\`$`, "gms")), ([, block = ""]) => block)

/** Finds a table by the heading of its first column, and returns its rows without backticks around cells. */
const table = (path: string, heading: string) => {
  const [, rows = ""] = new RegExp(`^\\| ${heading} .*\\n\\|[-| ]+\\n((?:\\|.*\\n)+)`, "m").exec(read(path)) ?? []
  return Array.from(rows.matchAll(/^\| (.*) \|$/gm), ([, row = ""]) =>
    row.split(" | ").map((cell) => cell.trim().replace(/^`(.*)`$/, "$1"))
  )
}

const folder = Effect.acquireRelease(
  Effect.promise(() => mkdtemp(join(tmpdir(), "readme-"))),
  (path) => Effect.promise(() => rm(path, { recursive: true }))
)

/** Runs a shell command in a folder, with the binaries of the workspace and without keys. */
const shellIn = Effect.fnUntraced(function* (cwd: string, line: string) {
  const path = [join(root, "node_modules/.bin"), dirname(process.execPath), yield* Config.String("PATH")]
  const running = yield* ChildProcess.make(line, {
    cwd,
    shell: true,
    env: {
      PATH: path.join(delimiter),
      GRADIENT_MODEL_ACCESS_KEY: undefined,
      DIGITALOCEAN_ACCESS_TOKEN: undefined,
      GRADIENT_BASE_URL: undefined,
      GRADIENT_INFERENCE_ENDPOINT: undefined
    },
    extendEnv: true
  })
  return { ...running, cwd }
}, Effect.provide(NodeServices.layer))

/** Runs a shell command in an empty folder. */
const shell = (line: string) => Effect.flatMap(folder, (cwd) => shellIn(cwd, line))

describe.each(documents)("%s", (path) => {
  const markdown = read(path)

  it("has only programs of examples/, which are tested", () => {
    const programs = globSync(["examples/*.ts", "examples/*/*.{ts,tsx}"], { cwd: root }).map(read)
    for (const block of ["ts", "tsx"].flatMap((language) => blocks(markdown, language))) assert.include(programs, block)
  })

  it("has no code that is neither a program, a command nor data", () => {
    const languages = Array.from(markdown.matchAll(/^```(\S+)$/gm), ([, language = ""]) => language)
    for (const language of languages) assert.include(["ts", "tsx", "sh", "json", "text"], language)
  })

  it("links to files that exist", () => {
    for (const [, target = ""] of markdown.matchAll(/\]\((?!https?:|#)([^)]+)\)/g)) {
      assert.isTrue(existsSync(join(root, dirname(path), target)), target)
    }
  })
})

describe("README.md", () => {
  it("has the table of docs/runtimes.md, which `pnpm test:runtimes` writes", () => {
    const [where = ""] = /^\|.*\n(?:\|.*\n)+/m.exec(read("docs/runtimes.md")) ?? []
    assert.include(where, "`NodeImages`")
    assert.include(read("README.md"), where)
  })

  it("has at most 150 lines", () => {
    assert.isAtMost(read("README.md").split("\n").length, 151)
  })
})

describe("the documentation site", () => {
  it("lists every guide", () => {
    const config = read("site/.vitepress/config.ts")
    for (const guide of globSync("docs/*.md", { cwd: root })) {
      assert.include(config, `"${guide.replace(/^docs\/|\.md$/g, "")}")`)
    }
  })
})

describe("the READMEs of packages, which are shown on npm", () => {
  it.each(globSync("packages/*/README.md", { cwd: root }))("%s has no relative links", (path) => {
    assert.notMatch(read(path), /\]\((?!https:)/)
  })

  const Manifest = Schema.fromJsonString(
    Schema.Struct({
      license: Schema.Literal("Apache-2.0"),
      repository: Schema.Struct({ url: Schema.String, directory: Schema.String })
    })
  )

  it.each(globSync("packages/*/package.json", { cwd: root }))(
    "%s names the licence and its folder in the repository",
    (path) => {
      const { repository } = Schema.decodeSync(Manifest)(read(path))
      assert.strictEqual(repository.url, "git+https://github.com/effect-gradient/effect-gradient.git")
      assert.strictEqual(repository.directory, `packages/${basename(dirname(path))}`)
    }
  )

  it("link to files of the repository that exist", () => {
    for (const path of globSync("packages/*/README.md", { cwd: root })) {
      for (const [, target = ""] of read(path).matchAll(
        /effect-gradient\/effect-gradient\/(?:blob|tree)\/main\/([^)#]+)/g
      )) {
        assert.isTrue(existsSync(join(root, target)), `${path}: ${target}`)
      }
    }
  })

  it("have the options of docs/options.md", () => {
    const names = (path: string) => table(path, "option").map(([option = ""]) => option)
    assert.sameMembers(
      [...names("packages/core/README.md"), ...names("packages/node/README.md")],
      names("docs/options.md")
    )
  })

  it("have the reasons of docs/failures.md, and whether they are charged or temporary", () => {
    const columns = (path: string) =>
      table(path, "reason").map(([reason, , charged, temporary]) => [reason, charged, temporary])
    assert.deepStrictEqual(columns("packages/core/README.md"), columns("docs/failures.md"))
  })
})

describe("the public modules", () => {
  const modules = globSync(["packages/*/src/**/*.ts"], { cwd: root }).filter(
    (path) => !/internal|packages\/cli/.test(path)
  )
  const declaration =
    /^(?:\/\*\*((?:(?!\*\/)[^])*)\*\/\n)?(?:\/\/.*\n)*export (?:const|class|interface|type|function) (\w+)/gm

  it("have a category and the first version in the docstring of each declaration", () => {
    const without = modules.flatMap((module) =>
      Array.from(read(module).matchAll(declaration))
        .filter(([, docstring = ""]) => !/@category \w+\n \* @since \d+\.\d+\.\d+/.test(docstring))
        .map(([, , name]) => `${module}: ${name}`)
    )
    assert.isAtLeast(modules.length, 40)
    assert.deepStrictEqual(without, [])
  })
})

describe("docs/coming-from-openai.md", () => {
  it("has exactly the rows that are compiled", () => {
    const source = read("examples/coming-from-openai/rows.ts")
    const compiled = (side: string) =>
      Array.from(
        source.matchAll(new RegExp(`^ {4}${side}: \\(.*?\\)(?:: [^=]*)? => (.*?),?$`, "gm")),
        ([, code = ""]) => code.replace(/^\((.*)\)$/, "$1")
      )
    const rows = table("docs/coming-from-openai.md", "there")
    assert.isAbove(rows.length, 20)
    assert.deepStrictEqual(
      rows.map(([there]) => there),
      compiled("there")
    )
    assert.deepStrictEqual(
      rows.map(([, here]) => here),
      compiled("here")
    )
  })
})

describe("the commands", () => {
  const { scripts } = Schema.decodeSync(
    Schema.fromJsonString(Schema.Struct({ scripts: Schema.Record(Schema.String, Schema.String) }))
  )(read("package.json"))
  const lines = documents.flatMap((path) => blocks(read(path), "sh")).flatMap((block) => block.trim().split("\n"))
  const isBatch = (line: string) => line.startsWith("gradient-images batch")
  const own = lines.filter((line) => line.startsWith("gradient-images") && !isBatch(line))

  it("of pnpm are scripts of the workspace", () => {
    for (const line of lines.filter((each) => each.includes("pnpm"))) {
      assert.property(scripts, /pnpm ([a-z]+)/.exec(line)?.[1] ?? line)
    }
  })

  it.live.each(own.filter((line) => !line.includes("emulator")))("works: %s", (line) =>
    Effect.gen(function* () {
      const { exitCode } = yield* shell(line)
      assert.strictEqual(Number(yield* exitCode), 0)
    }).pipe(Effect.scoped)
  )

  it.live.each(own.filter((line) => line.includes("emulator")))("listens: %s", (line) =>
    Effect.gen(function* () {
      const { stdout } = yield* shell(line.replace(/--port \d+/, "--port 0"))
      const first = yield* stdout.pipe(Stream.decodeText, Stream.splitLines, Stream.take(1), Stream.mkString)
      assert.match(first, /^Listening on http/)
    }).pipe(Effect.scoped)
  )

  // Commands with an `s3://` URL are left out, because they need a bucket and a PostgreSQL server.
  it.live("of a batch work one after the other, with the file of docs/batches.md", () =>
    Effect.gen(function* () {
      const cwd = yield* folder
      const [file = ""] = blocks(read("docs/batches.md"), "json")
      yield* Effect.promise(() => writeFile(join(cwd, "animals.jsonl"), file))
      for (const line of lines.filter((each) => isBatch(each) && !each.includes("s3://"))) {
        const { exitCode } = yield* shellIn(cwd, line)
        assert.strictEqual(Number(yield* exitCode), 0, line)
      }
      assert.sameMembers(yield* Effect.promise(() => readdir(join(cwd, "out"))), [
        "otter-1.png",
        "fox-1-1.webp",
        "fox-1-2.webp"
      ])
    }).pipe(Effect.scoped)
  )

  it.live("pnpm start draws into out/", () =>
    Effect.gen(function* () {
      const { cwd, exitCode } = yield* shell(scripts["start"] ?? "")
      assert.strictEqual(Number(yield* exitCode), 0)
      assert.deepStrictEqual(yield* Effect.promise(() => readdir(join(cwd, "out"))), ["sea-otter.png"])
    }).pipe(Effect.scoped)
  )
})

describe("docs/options.md", () => {
  /**
   * For each option, what accepts it: a layer, a call, both, or the transport. The compiler reports an option that is
   * missing or unknown.
   */
  const options: Record<
    keyof GradientClient.Options | keyof GradientClient.RequestOptions | keyof NodeImages.TransportOptions,
    "layer" | "call" | "both" | "transport"
  > = {
    modelAccessKey: "layer",
    accessToken: "layer",
    baseUrl: "layer",
    model: "layer",
    headers: "both",
    timeout: "both",
    idleTimeout: "both",
    deadline: "both",
    retry: "both",
    onRetry: "call",
    limits: "layer",
    propagateTrace: "layer",
    transformClient: "layer",
    idempotencyKey: "call",
    labels: "call",
    extraBody: "call",
    connectTimeout: "transport",
    proxy: "transport",
    tls: "transport"
  }

  it("has all options in its table, with where they belong", () => {
    assert.deepStrictEqual(
      Object.fromEntries(table("docs/options.md", "option").map(([option, of]) => [option, of])),
      options
    )
  })
})

describe("docs/failures.md", () => {
  const refuse = (status: number, code?: string) => TestTransport.respond({ status, json: { error: { code } } })

  /**
   * The reasons that are tested elsewhere: those of `@effect-gradient/durable`, and that of `ImagesBudget`. `causes` has a
   * cause for each other reason.
   */
  type Elsewhere = "BudgetExceededError" | "ExpiredError" | "InDoubtError" | "JournalError" | "StoreError"
  const causes: Record<Exclude<keyof typeof GradientError.reasons, Elsewhere>, TestTransport.Step> = {
    InvalidParamsError: Effect.never,
    AuthenticationError: refuse(401),
    PermissionDeniedError: refuse(403),
    NotFoundError: refuse(404),
    ConflictError: refuse(409),
    UnprocessableEntityError: refuse(422),
    BadRequestError: refuse(400),
    ContentPolicyError: refuse(400, "moderation_blocked"),
    QuotaExceededError: refuse(402),
    RateLimitError: refuse(429),
    ConnectionError: TestTransport.failNotSent(),
    InternalServerError: refuse(500),
    RequestTimeoutError: Effect.never,
    DisconnectedError: TestTransport.failSent(),
    InvalidResponseError: TestTransport.respond({ json: {} }),
    IncompleteStreamError: TestTransport.events([])
  }

  const rows = table("docs/failures.md", "reason").map(([reason = "", when = "", charged = "", temporary = ""]) => ({
    reason,
    when,
    charged,
    temporary
  }))

  it("has the reasons of GradientError, in its order", () => {
    assert.deepStrictEqual(
      rows.map(({ reason }) => reason),
      Object.keys(GradientError.reasons)
    )
  })

  it.effect.each(Object.entries(causes))("%s", ([name, cause]) =>
    Effect.gen(function* () {
      const row = rows.find(({ reason }) => reason === name)
      const params = { prompt: "An otter", ...(name === "InvalidParamsError" ? { n: 11 } : {}) }
      const call = Stream.runDrain(Images.generateStream(params, { retry: RetryPolicy.none }))
      const fiber = yield* Effect.forkChild(Effect.flip(call))
      yield* TestClock.adjust("1 hour")
      const { isRetryable, mayHaveBeenCharged, reason } = yield* Fiber.join(fiber)
      assert.deepInclude(row, {
        reason: reason._tag,
        charged: mayHaveBeenCharged ? "may be charged for" : "not charged for",
        temporary: isRetryable ? "temporary" : "permanent"
      })
      const status = /^\d{3}/.exec(row?.when ?? "")?.[0]
      if (status !== undefined) assert.strictEqual(reason.status, Number(status))
    }).pipe(Effect.provide(TestTransport.layerImages([cause])))
  )
})
