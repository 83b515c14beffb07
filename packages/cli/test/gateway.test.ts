import { assert, describe, it } from "@effect/vitest"
import { Emulator } from "@effect-gradient/emulator"
import { Effect, Fiber, Layer } from "effect"
import { spawn, spawnSync } from "node:child_process"
import { randomUUID } from "node:crypto"
import { writeFile } from "node:fs/promises"
import { createServer, type Server } from "node:net"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { pathToFileURL } from "node:url"
import { DatabaseSync } from "node:sqlite"
import OpenAI from "openai"
import { folder, run } from "./support/cli.ts"
import { callers, gateway } from "./support/gateway.ts"
import { service } from "./support/service.ts"

const get = (url: string) => Effect.promise(() => fetch(url))

const ask = (url: string, body: object, headers: Record<string, string> = {}, signal: AbortSignal | null = null) =>
  fetch(`${url}/images/generations`, {
    method: "POST",
    headers: { "content-type": "application/json", authorization: "Bearer alice", ...headers },
    body: JSON.stringify(body),
    signal
  })

const post = (url: string, body: object, key = "alice") =>
  Effect.promise(() => ask(url, body, { authorization: `Bearer ${key}` }))

const eventually = (holds: () => boolean) =>
  Effect.promise(async () => {
    for (let i = 0; i < 200 && !holds(); i++) await new Promise((resolve) => setTimeout(resolve, 20))
    assert.isTrue(holds())
  })

describe("gradient-images gateway", () => {
  const served = { ...callers, GRADIENT_MODEL_ACCESS_KEY: "any" }

  it.live.each<readonly [name: string, env: Record<string, string>, args: ReadonlyArray<string>, says: RegExp]>([
    ["without callers", {}, [], /No caller has a key.*GATEWAY_KEYS.*--keys-file/],
    ["with blank keys alone", { GATEWAY_KEYS: " , " }, [], /No caller has a key/],
    ["with a file of keys that it cannot read", callers, ["--keys-file", "missing.txt"], /missing\.txt cannot be read/],
    ["with a limit that is no number", { ...callers, GATEWAY_IMAGES: "many" }, [], /--images.*whole number/],
    ["with a journal and no store", callers, ["--journal", "journal.db"], /--journal and --store must be set together/],
    [
      "with a REDIS_URL of another scheme",
      { ...callers, REDIS_URL: "http://x:secret@y" },
      [],
      /REDIS_URL must be redis:/
    ],
    [
      "without Redis",
      { ...callers, GRADIENT_MODEL_ACCESS_KEY: "any", REDIS_URL: "redis://:secret@127.0.0.1:1" },
      [],
      /Redis of REDIS_URL cannot be used/
    ],
    [
      "with a host that is not an address of this machine",
      served,
      ["--host", "192.0.2.1"],
      /--host 192\.0\.2\.1 .*EADDRNOTAVAIL/
    ],
    ["with an empty list of models", served, ["--models", ""], /--models.*at least one/],
    ["with an empty list of sizes", { ...served, GATEWAY_SIZES: " , " }, [], /--sizes.*at least one/],
    ["without a key of the service", callers, [], /GRADIENT_MODEL_ACCESS_KEY.*DIGITALOCEAN_ACCESS_TOKEN/]
  ])("does not start %s: exit code 2", ([, env, args, says]) =>
    Effect.gen(function* () {
      const cwd = yield* folder
      const { code, stderr, stdout } = yield* run(["gateway", "--port", "0", ...args], { cwd, env })
      assert.strictEqual(code, 2)
      assert.match(stderr, says)
      assert.notInclude(stderr, "secret")
      assert.strictEqual(stdout, "")
    }).pipe(Effect.scoped)
  )

  it.live("serves openai's client, streams included, and prints one line with its address", () =>
    Effect.gen(function* () {
      const emulator = yield* Layer.build(Emulator.layerServer({ port: 0, images: "plain" }))
      const behind = yield* Effect.provide(Emulator.baseUrl, emulator)
      const { lines, log, url } = yield* gateway(behind)
      assert.match(lines.join("\n"), /^Listening on http:\/\/127\.0\.0\.1:\d+\/v1$/)
      const openai = new OpenAI({ apiKey: "bob", baseURL: url })
      const params = { prompt: "A sea otter", model: "openai-gpt-image-2" }
      const response = yield* Effect.promise(() => openai.images.generate(params))
      assert.isString(response.data?.[0]?.b64_json)
      const types = yield* Effect.promise(async () => {
        const arrived: Array<string> = []
        const stream = await openai.images.generate({ ...params, stream: true, partial_images: 2 })
        for await (const { type } of stream) arrived.push(type)
        return arrived
      })
      const partial = "image_generation.partial_image"
      assert.deepStrictEqual(types, [partial, partial, "image_generation.completed"])
      assert.strictEqual((yield* post(url, params, "mallory")).status, 401)
      assert.strictEqual((yield* get(`${url}/models`)).status, 404)
      yield* eventually(() => log.length === 4)
      assert.match(log[0] ?? "", /^\S+Z POST \/v1\/images\/generations 200 \d+ ms$/)
      assert.match(log[2] ?? "", / 401 \d+ ms$/)
      assert.match(log[3] ?? "", / GET \/v1\/models 404 \d+ ms$/)
      assert.notInclude(log.join("\n"), "mallory")
    }).pipe(Effect.scoped)
  )

  it.live("takes its limits from flags and variables, and its keys from a file", () =>
    Effect.gen(function* () {
      const emulator = yield* Layer.build(Emulator.layerServer({ port: 0, images: "plain" }))
      const behind = yield* Effect.provide(Emulator.baseUrl, emulator)
      const file = join(yield* folder, "keys.txt")
      yield* Effect.promise(() => writeFile(file, "carol\n\ndave\n"))
      const args = ["--keys-file", file, "--n", "2", "--images", "3", "--window", "1h"]
      const env = { GATEWAY_SIZES: "1024x1024", GATEWAY_IMAGES: "9", GATEWAY_ORIGINS: "https://app.example" }
      const { url } = yield* gateway(behind, args, env)
      const body = { prompt: "x", size: "1024x1024", n: 2 }
      assert.strictEqual((yield* post(url, body, "alice")).status, 401)
      const first = yield* post(url, body, "carol")
      assert.deepStrictEqual([first.status, first.headers.get("ratelimit-limit")], [200, "3"])
      assert.strictEqual((yield* post(url, body, "carol")).status, 429)
      assert.strictEqual((yield* post(url, { ...body, size: "auto" }, "dave")).status, 400)
      assert.strictEqual((yield* post(url, { ...body, n: 3 }, "dave")).status, 400)
    }).pipe(Effect.scoped)
  )

  it.live.each([
    [8e9, ["--heap-growing-percent=300", "--external-memory-accounted-in-global-limit"]],
    [2e9, ["--heap-growing-percent=300"]]
  ] as const)(
    "tunes V8 for images, and trades memory for CPU time only if there is enough of it (%d bytes)",
    ([available, flags]) =>
      Effect.gen(function* () {
        const preload = join(yield* folder, "preload.mjs")
        const code = `import v8 from "node:v8"
        import { syncBuiltinESMExports } from "node:module"
        v8.setFlagsFromString = (flag) => process.stderr.write("flag " + flag + "\\n")
        process.availableMemory = () => ${available}
        syncBuiltinESMExports()`
        yield* Effect.promise(() => writeFile(preload, code))
        const env = { ...callers, NODE_OPTIONS: `--import=${pathToFileURL(preload).href}` }
        const { log } = yield* gateway("http://127.0.0.1:1/v1", [], env)
        const isNode24 = Number.parseInt(process.versions.node, 10) >= 24
        const expected = isNode24 ? flags : flags.slice(0, 1)
        yield* eventually(() => log.length >= expected.length)
        assert.deepStrictEqual(
          log,
          expected.map((flag) => `flag ${flag}`)
        )
      }).pipe(Effect.scoped)
  )

  it.live("finishes what was sent after SIGTERM, and exits with 0", () =>
    Effect.gen(function* () {
      const answers: Array<() => void> = []
      const slow = yield* service((response) => {
        response.writeHead(200, { "content-type": "application/json" })
        response.write(" ")
        answers.push(() => void response.end('{"created":1,"data":[{"b64_json":"iVBORw=="}]}'))
      })
      const { child, origin, url } = yield* gateway(slow.baseUrl)
      for (const path of ["/healthz", "/readyz"]) assert.strictEqual((yield* get(`${origin}${path}`)).status, 200)
      const reply = yield* Effect.forkChild(post(url, { prompt: "x" }))
      yield* slow.asked
      const ended = yield* Effect.forkChild(child.kill({ killSignal: "SIGTERM" }))
      yield* Effect.sleep("300 millis")
      yield* Effect.flip(Effect.tryPromise(() => fetch(`${origin}/readyz`)))
      for (const answer of answers) answer()
      const response = yield* Fiber.join(reply)
      assert.include(yield* Effect.promise(() => response.text()), "iVBORw==")
      assert.strictEqual(Number(yield* child.exitCode), 0)
      yield* Fiber.await(ended)
    }).pipe(Effect.scoped)
  )
})

describe("gradient-images gateway with a journal and a store", () => {
  it.live("gives a caller who left the picture, from another process too, and generates it once", () =>
    Effect.gen(function* () {
      const answers: Array<() => void> = []
      const slow = yield* service((response) => {
        answers.push(() => void response.end('{"created":1,"data":[{"b64_json":"iVBORw=="}]}'))
      })
      const place = yield* folder
      const args = ["--journal", join(place, "journal.db")]
      const env = { ...callers, GATEWAY_STORE: join(place, "images") }
      const [one, two] = [yield* gateway(slow.baseUrl, args, env), yield* gateway(slow.baseUrl, args, env)]
      assert.strictEqual((yield* get(`${one.origin}/readyz`)).status, 200)
      const id = randomUUID()
      const leaving = new AbortController()
      const left = yield* Effect.forkChild(
        Effect.exit(Effect.tryPromise(() => ask(one.url, { prompt: "x" }, { "x-attempt-id": id }, leaving.signal)))
      )
      yield* slow.asked
      leaving.abort()
      yield* Fiber.await(left)
      for (const answer of answers) answer()
      const joined = (key: string) =>
        Effect.promise(() =>
          fetch(`${two.url}/images/generations/${id}`, { headers: { authorization: `Bearer ${key}` } })
        )
      const response = yield* joined("alice")
      assert.include(yield* Effect.promise(() => response.text()), "iVBORw==")
      assert.strictEqual((yield* joined("bob")).status, 404)
      assert.strictEqual(slow.requests(), 1)
    }).pipe(Effect.scoped)
  )

  it.live("is not ready while the journal cannot be reached", () =>
    Effect.gen(function* () {
      const place = yield* folder
      const journal = join(place, "journal.db")
      const { log, origin } = yield* gateway("http://127.0.0.1:1/v1", [
        "--journal",
        journal,
        "--store",
        join(place, "i")
      ])
      assert.strictEqual((yield* get(`${origin}/readyz`)).status, 200)
      const database = new DatabaseSync(journal)
      database.exec("ALTER TABLE gradient_generation RENAME TO gone")
      yield* Effect.sleep("1100 millis") // The gateway reuses the result of a check of the journal for one second.
      const response = yield* get(`${origin}/readyz`)
      assert.strictEqual(response.status, 503)
      assert.strictEqual(yield* Effect.promise(() => response.text()), "the journal cannot be reached")
      assert.strictEqual((yield* get(`${origin}/healthz`)).status, 200)
      database.exec("ALTER TABLE gone RENAME TO gradient_generation")
      database.close()
      yield* Effect.sleep("1100 millis")
      assert.strictEqual((yield* get(`${origin}/readyz`)).status, 200)
      assert.include(log.join("\n"), "The journal cannot be reached")
    }).pipe(Effect.scoped)
  )
})

const redis = spawnSync("redis-server", ["--version"]).status === 0

describe.runIf(redis)("gradient-images gateway with REDIS_URL", () => {
  it.live("counts the images of a caller over all processes", () =>
    Effect.gen(function* () {
      const emulator = yield* Layer.build(Emulator.layerServer({ port: 0, images: "plain" }))
      const behind = yield* Effect.provide(Emulator.baseUrl, emulator)
      const url = yield* redisServer
      const args = ["--images", "3", "--window", "1h"]
      const env = { ...callers, REDIS_URL: url }
      const gateways = [yield* gateway(behind, args, env), yield* gateway(behind, args, env)]
      const statuses: Array<number> = []
      for (let i = 0; i < 4; i++) statuses.push((yield* post(gateways[i % 2]?.url ?? "", { prompt: "x" })).status)
      assert.deepStrictEqual(statuses, [200, 200, 200, 429])
    }).pipe(Effect.scoped)
  )
})

/** A Redis server on a free port, until the scope closes. */
const redisServer = Effect.gen(function* () {
  const probe = createServer()
  const port = yield* Effect.promise(
    () => new Promise<number>((resolve) => probe.listen(0, "127.0.0.1", () => resolve(portOf(probe.address()))))
  )
  yield* Effect.promise(() => new Promise((resolve) => probe.close(resolve)))
  const server = spawn("redis-server", ["--port", String(port), "--bind", "127.0.0.1", "--save", "", "--dir", tmpdir()])
  yield* Effect.addFinalizer(() => Effect.sync(() => server.kill()))
  yield* Effect.promise(
    () =>
      new Promise<void>((resolve) =>
        server.stdout.on("data", (text: Buffer) => text.includes("Ready to accept") && resolve())
      )
  )
  return `redis://127.0.0.1:${port}`
})

const portOf = (address: ReturnType<Server["address"]>) =>
  address !== null && typeof address === "object" ? address.port : 0
