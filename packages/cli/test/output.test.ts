import { assert, describe, it } from "@effect/vitest"
import { Effect, Schema } from "effect"
import { chmodSync, existsSync, readlinkSync, statSync, symlinkSync, writeFileSync } from "node:fs"
import { readdir, readFile } from "node:fs/promises"
import { createServer } from "node:http"
import { join } from "node:path"
import sharp from "sharp"
import { folder, hasTerminal, run, runInShell, runOnTerminal } from "./support/cli.ts"
import { service } from "./support/service.ts"

const isUnix = process.platform !== "win32"

const list = (path: string) => Effect.promise(() => readdir(path))

const bytesOf = (format: "png" | "jpeg") =>
  Effect.promise(() =>
    sharp({ create: { width: 8, height: 8, channels: 3, background: "teal" } })
      .toFormat(format)
      .toBuffer()
  )

/** A service that replies with these images. */
const sending = (...images: ReadonlyArray<Uint8Array>) =>
  service((response) =>
    response.end(
      JSON.stringify({ created: 1, data: images.map((bytes) => ({ b64_json: Buffer.from(bytes).toString("base64") })) })
    )
  )

describe.concurrent("--output", () => {
  it.live("- writes the picture to standard output and nothing else, and the rest to standard error", () =>
    Effect.gen(function* () {
      const cwd = yield* folder
      const { baseUrl } = yield* sending(yield* bytesOf("png"))
      const { code, stderr } = yield* runInShell("cli generate x -o - > picture", { cwd, baseUrl })
      assert.strictEqual(code, 0)
      assert.match(stderr, /^- {2}8x8 {2}\d+ B$/m)
      assert.deepStrictEqual(yield* list(cwd), ["picture"])
      assert.deepStrictEqual(yield* Effect.promise(() => readFile(join(cwd, "picture"))), yield* bytesOf("png"))
    }).pipe(Effect.scoped)
  )

  it.live.each([
    { name: "with several pictures", args: ["--n", "2"], says: /Standard output takes one image, not 2/ },
    { name: "with --json", args: ["--json"], says: /cannot take both an image and the object of --json/ }
  ])("- is refused $name", ({ args, says }) =>
    Effect.gen(function* () {
      const { baseUrl, requests } = yield* sending(yield* bytesOf("png"))
      const { code, stderr } = yield* run(["generate", "x", "-o", "-", ...args], { cwd: yield* folder, baseUrl })
      assert.deepStrictEqual([code, requests()], [2, 0])
      assert.match(stderr, says)
    }).pipe(Effect.scoped)
  )

  it.live.skipIf(!hasTerminal)("- is refused if standard output is a terminal", () =>
    Effect.gen(function* () {
      const { baseUrl, requests } = yield* sending(yield* bytesOf("png"))
      const { code, stdout } = yield* runOnTerminal(80, ["generate", "x", "-o", "-"], { cwd: yield* folder, baseUrl })
      assert.deepStrictEqual([code, requests()], [2, 0])
      assert.match(stdout, /Standard output is a terminal: choose another --output/)
    }).pipe(Effect.scoped)
  )

  it.live.skipIf(!isUnix)("names a device, which is written to as it is", () =>
    Effect.gen(function* () {
      const cwd = yield* folder
      const { baseUrl } = yield* sending(yield* bytesOf("png"))
      const { code, stdout } = yield* run(["generate", "x", "-o", "/dev/null"], { cwd, baseUrl })
      assert.strictEqual(code, 0)
      assert.match(stdout, /^\/dev\/null {2}8x8/)
      assert.isFalse(existsSync("/dev/null.png"))
      assert.deepStrictEqual(yield* list(cwd), [])
    }).pipe(Effect.scoped)
  )

  it.live.skipIf(!isUnix)("that is a link to nothing is refused before anything is sent", () =>
    Effect.gen(function* () {
      const cwd = yield* folder
      const { baseUrl, requests } = yield* sending(yield* bytesOf("png"))
      symlinkSync("missing.png", join(cwd, "x.png"))
      const { code, stderr } = yield* run(["generate", "x", "-o", "x.png"], { cwd, baseUrl })
      assert.deepStrictEqual([code, requests()], [2, 0])
      assert.match(stderr, /x\.png is a link to a file that does not exist: .*Nothing was sent/)
      assert.strictEqual(readlinkSync(join(cwd, "x.png")), "missing.png")
    }).pipe(Effect.scoped)
  )

  it.live.skipIf(!isUnix)("--overwrite keeps the mode of a file", () =>
    Effect.gen(function* () {
      const cwd = yield* folder
      const { baseUrl } = yield* sending(yield* bytesOf("png"))
      const file = join(cwd, "x.png")
      writeFileSync(file, "mine")
      chmodSync(file, 0o600)
      assert.strictEqual((yield* run(["generate", "x", "-o", file, "--overwrite"], { cwd, baseUrl })).code, 0)
      assert.strictEqual(statSync(file).mode & 0o777, 0o600)
      assert.deepStrictEqual(yield* list(cwd), ["x.png"])
    }).pipe(Effect.scoped)
  )

  it.live("keeps its name if a picture of another format arrives, which is said", () =>
    Effect.gen(function* () {
      const cwd = yield* folder
      const { baseUrl } = yield* sending(yield* bytesOf("jpeg"))
      const { code, stderr } = yield* run(["generate", "x", "-o", "x.png"], { cwd, baseUrl })
      assert.strictEqual(code, 0)
      assert.match(stderr, /^x\.png holds a JPEG image, although its name ends in \.png/m)
      assert.deepStrictEqual(yield* list(cwd), ["x.png"])
    }).pipe(Effect.scoped)
  )

  it.live("keeps the extension of a format that is not known", () =>
    Effect.gen(function* () {
      const cwd = yield* folder
      const { baseUrl } = yield* sending(Buffer.from("<svg/>"))
      for (const args of [
        ["--output-format", "svg"],
        ["--output-format", "gif", "-o", "a.gif"]
      ]) {
        assert.strictEqual((yield* run(["generate", "x", ...args], { cwd, baseUrl })).code, 0)
      }
      assert.deepStrictEqual(yield* list(cwd), ["a.gif", "x.svg"])
    }).pipe(Effect.scoped)
  )
})

describe.concurrent("standard output", () => {
  it.live.skipIf(!existsSync("/dev/full"))("that cannot be written to is a failure, and the picture is kept", () =>
    Effect.gen(function* () {
      const cwd = yield* folder
      const { baseUrl } = yield* sending(yield* bytesOf("png"))
      const image = yield* runInShell("cli generate x -o - > /dev/full", { cwd, baseUrl })
      assert.strictEqual(image.code, 1)
      const [, kept = ""] = /Saved an image that had arrived: (.*)/.exec(image.stderr) ?? []
      assert.match(image.stderr, /Standard output could not be written: .*ENOSPC/)
      assert.deepStrictEqual(yield* Effect.promise(() => readFile(kept)), yield* bytesOf("png"))
      for (const command of ["generate x --json", "generate y", "--version", "--help", "models --emulate"]) {
        const { code, stderr } = yield* runInShell(`cli ${command} > /dev/full`, { cwd, baseUrl })
        assert.strictEqual(code, 1)
        assert.match(stderr, /Standard output could not be written: ENOSPC/)
      }
    }).pipe(Effect.scoped)
  )

  it.live.skipIf(!hasTerminal)("has one object on it with --json, also if it is a terminal", () =>
    Effect.gen(function* () {
      const { baseUrl } = yield* sending(yield* bytesOf("png"))
      const args = ["generate", "x", "--json"]
      const { code, stdout } = yield* runOnTerminal(80, args, { cwd: yield* folder, baseUrl })
      assert.strictEqual(code, 0)
      assert.notInclude(stdout, "\u2584")
      assert.include(stdout, '"images":[{"path"')
    }).pipe(Effect.scoped)
  )

  it.live.skipIf(!hasTerminal)("gets no codes for pictures under a multiplexer, whose terminal is inherited", () =>
    Effect.gen(function* () {
      const { baseUrl } = yield* sending(yield* bytesOf("png"))
      for (const multiplexer of [{ TMUX: "/tmp/tmux,1,0" }, { STY: "1.pts" }]) {
        const env = { KITTY_WINDOW_ID: "1", ...multiplexer }
        const { code, stdout } = yield* runOnTerminal(80, ["generate", "x"], { cwd: yield* folder, baseUrl, env })
        assert.strictEqual(code, 0)
        assert.notInclude(stdout, "\u001B_G")
        assert.include(stdout, "\u2584")
      }
    }).pipe(Effect.scoped)
  )
})

describe.concurrent("a picture that is known by its address alone", () => {
  const url = `https://images.example/${"a".repeat(2000)}?sig=1`
  const answer = JSON.stringify({
    created: 1,
    data: [{ b64_json: Buffer.from("a masterpiece").toString("base64") }, { url }]
  })

  it.live("is printed whole on standard error, and the pictures that arrived are kept", () =>
    Effect.gen(function* () {
      const cwd = yield* folder
      const { baseUrl } = yield* service((response) => response.end(answer))
      const { code, stderr, stdout } = yield* run(["generate", "x", "--n", "2"], { cwd, baseUrl })
      assert.deepStrictEqual([code, stdout], [1, ""])
      assert.include(stderr.split("\n"), `Download this image soon, because its URL may expire: ${url}`)
      assert.strictEqual(stderr.split(url.slice(0, 50)).length, 2) // The URL is printed once.
      assert.match(stderr, /Saved an image that had arrived: x-kept\.bin/)
      assert.deepStrictEqual(yield* list(cwd), ["x-kept.bin"])
    }).pipe(Effect.scoped)
  )

  const Failure = Schema.fromJsonString(Schema.Struct({ error: Schema.Struct({ urls: Schema.Array(Schema.String) }) }))

  it.live("is in the object of --json", () =>
    Effect.gen(function* () {
      const { baseUrl } = yield* service((response) => response.end(answer))
      const { stdout } = yield* run(["generate", "x", "--n", "2", "--json"], { cwd: yield* folder, baseUrl })
      assert.deepStrictEqual((yield* Schema.decodeEffect(Failure)(stdout)).error.urls, [url])
    }).pipe(Effect.scoped)
  )
})

describe.concurrent("a proxy of the environment", () => {
  /** A proxy that refuses everything. */
  const refusing = Effect.gen(function* () {
    let requests = 0
    const server = createServer((_request, response) => {
      requests++
      response.writeHead(403).end()
    })
    server.on("connect", (_request, socket) => {
      requests++
      socket.end("HTTP/1.1 403 Forbidden\r\n\r\n")
    })
    yield* Effect.acquireRelease(
      Effect.callback<void>((resume) => void server.listen(0, "127.0.0.1", () => resume(Effect.void))),
      () => Effect.sync(() => server.close().closeAllConnections())
    )
    const address = server.address()
    const port = address !== null && typeof address === "object" ? address.port : 0
    return { url: `http://127.0.0.1:${port}`, requests: () => requests }
  })

  it.live.each([
    { name: "with a key", key: { GRADIENT_MODEL_ACCESS_KEY: "sk-do-test" } },
    { name: "without a key", key: {} }
  ])("is used, unless NO_PROXY names the host: $name", ({ key }) =>
    Effect.gen(function* () {
      const cwd = yield* folder
      const proxy = yield* refusing
      const { baseUrl, requests } = yield* sending(yield* bytesOf("png"))
      const env = { ...key, HTTP_PROXY: proxy.url, GRADIENT_BASE_URL: baseUrl }
      const refused = yield* run(["generate", "x"], { cwd, env })
      assert.deepStrictEqual([refused.code, proxy.requests(), requests()], [1, 1, 0])
      assert.match(refused.stderr, /403/)
      const direct = yield* run(["generate", "x"], { cwd, env: { ...env, NO_PROXY: "127.0.0.1" } })
      assert.deepStrictEqual([direct.code, proxy.requests(), requests()], [0, 1, 1])
    }).pipe(Effect.scoped)
  )
})
