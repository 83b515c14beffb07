import { assert, describe, it } from "@effect/vitest"
import { ImageGenerateParams } from "@effect-gradient/core"
import { Fault } from "@effect-gradient/emulator"
import { Deferred, Effect, Fiber, Schema, Stream } from "effect"
import { mkdirSync, writeFileSync } from "node:fs"
import { access, readdir, readFile, rm, writeFile } from "node:fs/promises"
import { join } from "node:path"
import sharp from "sharp"
import { folder, hasTerminal, run, runOnTerminal, start } from "./support/cli.ts"
import { service } from "./support/service.ts"

const list = (path: string) => Effect.promise(() => readdir(path))
const picture = (path: string) => Effect.promise(() => sharp(path).metadata())
const lines = (output: string) => output.trimEnd().split("\n")

const Output = Schema.fromJsonString(
  Schema.Struct({
    emulated: Schema.Boolean,
    images: Schema.Array(
      Schema.Struct({
        path: Schema.String,
        mediaType: Schema.String,
        width: Schema.Int,
        height: Schema.Int,
        bytes: Schema.Int
      })
    ),
    usage: Schema.Struct({ inputTokens: Schema.Int, totalTokens: Schema.Int }),
    requestId: Schema.String,
    seconds: Schema.Finite
  })
)

const Failure = Schema.fromJsonString(
  Schema.Struct({
    emulated: Schema.Boolean,
    error: Schema.Struct({
      reason: Schema.String,
      message: Schema.String,
      isRetryable: Schema.Boolean,
      mayHaveBeenCharged: Schema.Boolean,
      attempts: Schema.Int
    }),
    kept: Schema.Array(Schema.String)
  })
)

/** One event of a stream. Its bytes are not an image, but these tests do not decode them. */
const partialImage = `data: ${JSON.stringify({
  type: "image_generation.partial_image",
  partial_image_index: 0,
  b64_json: Buffer.from("a first impression").toString("base64")
})}\n\n`

const completed = `data: ${JSON.stringify({
  type: "image_generation.completed",
  b64_json: Buffer.from("a masterpiece").toString("base64")
})}\n\n`

const failed = `event: error\ndata: ${JSON.stringify({ type: "error", error: { message: "out of paint" } })}\n\n`

const Refusal = Schema.fromJsonString(
  Schema.Struct({
    error: Schema.Struct({ reason: Schema.String, message: Schema.String }),
    kept: Schema.Array(Schema.String)
  })
)

/** A reply with one item for each text. The texts are not images, but these tests do not decode them. */
const reply = (...texts: ReadonlyArray<string>) =>
  JSON.stringify({ created: 1, data: texts.map((text) => ({ b64_json: Buffer.from(text).toString("base64") })) })

describe("gradient-images --help", () => {
  it.live.each(["--completions bash", "--completions=bash"])("%s has the flags of all commands", (text) =>
    Effect.gen(function* () {
      const { stdout } = yield* run(text.split(" "), { cwd: yield* folder })
      for (const flag of ["--partial-images", "--journal", "--latency"]) assert.include(stdout, flag)
    }).pipe(Effect.scoped)
  )

  it.live("names the commands, and for generate a flag for every param", () =>
    Effect.gen(function* () {
      const cwd = yield* folder
      const general = yield* run(["--help"], { cwd })
      assert.strictEqual(general.code, 0)
      assert.match(general.stdout, /^ +generate /m)
      assert.match(general.stdout, /^ +emulator /m)
      const { stdout } = yield* run(["generate", "--help"], { cwd })
      for (const param of Object.keys(ImageGenerateParams.ImageGenerateParams.fields)) {
        const flag = param === "prompt" ? param : `--${param.replace(/[A-Z]/g, (letter) => `-${letter.toLowerCase()}`)}`
        assert.match(stdout, new RegExp(`^ +${flag} `, "m"))
      }
    }).pipe(Effect.scoped)
  )
})

describe.concurrent("gradient-images generate", () => {
  it.live("without a key lets the emulator draw, and says so in one line with the way to the real service", () =>
    Effect.gen(function* () {
      const cwd = yield* folder
      const { code, stderr, stdout } = yield* run(["generate", "A cute baby sea otter!"], { cwd })
      assert.strictEqual(code, 0)
      assert.match(lines(stderr)[0] ?? "", /emulator.*GRADIENT_MODEL_ACCESS_KEY/)
      assert.match(lines(stderr)[1] ?? "", /Waiting for openai-gpt-image-2/)
      assert.match(lines(stdout)[0] ?? "", /^a-cute-baby-sea-otter\.png {2}1024x1024 {2}[\d.]+ MB$/)
      assert.match(lines(stdout)[1] ?? "", /^[\d,]+ tokens, [\d.]+ s, emulated$/)
      assert.deepStrictEqual(yield* list(cwd), ["a-cute-baby-sea-otter.png"])
    }).pipe(Effect.scoped)
  )

  it.live("with --json prints one object on standard output and everything else on standard error", () =>
    Effect.gen(function* () {
      const cwd = yield* folder
      const { code, stderr, stdout } = yield* run(["generate", "A red fox", "--json", "--partial-images", "1"], { cwd })
      assert.strictEqual(code, 0)
      const { emulated, images, usage } = yield* Schema.decodeEffect(Output)(stdout)
      const [image] = images
      assert.isTrue(emulated)
      assert.isDefined(image)
      assert.isAbove(usage.totalTokens, usage.inputTokens)
      const { format, height, width } = yield* picture(image.path)
      assert.deepStrictEqual([`image/${format}`, width, height], [image.mediaType, image.width, image.height])
      assert.strictEqual((yield* Effect.promise(() => readFile(image.path))).length, image.bytes)
      assert.match(stderr, /emulator/)
    }).pipe(Effect.scoped)
  )

  it.live("takes the prompt from standard input, and blank is none", () =>
    Effect.gen(function* () {
      const cwd = yield* folder
      const { code } = yield* run(["generate"], { cwd, input: "Snow on a village\n" })
      assert.strictEqual(code, 0)
      assert.deepStrictEqual(yield* list(cwd), ["snow-on-a-village.png"])
      const blank = yield* run(["generate"], { cwd, input: " \n" })
      assert.strictEqual(blank.code, 2)
      assert.include(blank.stderr, "prompt")
    }).pipe(Effect.scoped)
  )

  it.live("names the file after the first 60 characters of the prompt, without a dash at the end", () =>
    Effect.gen(function* () {
      const cwd = yield* folder
      const prompt = `${"É".repeat(59)} b`
      const { code } = yield* run(["generate", prompt, "--size", "64x64"], { cwd })
      assert.strictEqual(code, 0)
      assert.deepStrictEqual(yield* list(cwd), [`${"é".repeat(59)}.png`])
    }).pipe(Effect.scoped)
  )

  it.live("without a terminal --partial-images gives each picture a line of its own", () =>
    Effect.gen(function* () {
      const cwd = yield* folder
      const { stderr } = yield* run(["generate", "A harbour", "--partial-images", "2"], { cwd })
      const shown = lines(stderr).filter((line) => !line.startsWith("-"))
      assert.match(shown[1] ?? "", /^Image 1 of 2: [\d.]+ s, [\d.]+ [kM]B$/)
      assert.match(shown[2] ?? "", /^Image 2 of 2: [\d.]+ s, [\d.]+ [kM]B$/)
      assert.match(shown[3] ?? "", /^The finished image: [\d.]+ s, [\d.]+ [kM]B$/)
    }).pipe(Effect.scoped)
  )

  it.live.skipIf(!hasTerminal)("on a terminal shows each picture, and counts while it waits", () =>
    Effect.gen(function* () {
      const cwd = yield* folder
      const { code, stdout } = yield* runOnTerminal(60, ["generate", "A harbour", "--partial-images", "1"], { cwd })
      assert.strictEqual(code, 0)
      assert.match(stdout, /Waiting for image 1 of 1 \(\d\.\d s\)/)
      const [beforeFirst, beforeLast, summary] = stdout.split(/Image 1 of 1: .*|The finished image: .*/)
      for (const shown of [beforeFirst, beforeLast]) assert.match(shown ?? "", /\[48;.*\u2584/)
      assert.match(summary ?? "", /a-harbour\.png {2}1024x1024/)
    }).pipe(Effect.scoped)
  )

  it.live.skipIf(!hasTerminal)("draws on a terminal whose size is not known", () =>
    Effect.gen(function* () {
      const cwd = yield* folder
      const { code, stdout } = yield* runOnTerminal(0, ["generate", "A harbour"], { cwd })
      assert.strictEqual(code, 0)
      assert.match(stdout, /\[48;.*\u2584/)
    }).pipe(Effect.scoped)
  )

  it.live("asks for the format that --output names, in a folder that it makes", () =>
    Effect.gen(function* () {
      const cwd = yield* folder
      const args = ["generate", "A bay", "--size", "1536x1024", "--output", "new/folder/bay.webp"]
      assert.strictEqual((yield* run(args, { cwd })).code, 0)
      const { format, height, width } = yield* picture(join(cwd, "new/folder/bay.webp"))
      assert.deepStrictEqual([format, width, height], ["webp", 1536, 1024])
    }).pipe(Effect.scoped)
  )

  it.live("numbers the files of several pictures", () =>
    Effect.gen(function* () {
      const cwd = yield* folder
      yield* run(["generate", "Two bays", "--size", "64x64", "--n", "2", "-o", "bays/"], { cwd })
      assert.deepStrictEqual(yield* list(join(cwd, "bays")), ["two-bays-1.png", "two-bays-2.png"])
    }).pipe(Effect.scoped)
  )

  it.live("refuses to replace a file before anything is sent, unless --overwrite is given", () =>
    Effect.gen(function* () {
      const cwd = yield* folder
      const { baseUrl, requests } = yield* service((response) => void response.writeHead(401).end())
      yield* Effect.promise(() => writeFile(join(cwd, "mine.png"), "mine"))
      const refused = yield* run(["generate", "x", "-o", "mine"], { cwd, baseUrl })
      assert.deepStrictEqual([refused.code, requests()], [2, 0])
      assert.match(refused.stderr, /mine\.png.*--overwrite/)
      const replaced = yield* run(["generate", "x", "-o", "mine", "--overwrite"], { cwd })
      assert.strictEqual(replaced.code, 0)
      assert.strictEqual((yield* picture(join(cwd, "mine.png"))).format, "png")
    }).pipe(Effect.scoped)
  )

  it.live("with --emulate sends nothing even if there is a key, and says nothing about a key", () =>
    Effect.gen(function* () {
      const cwd = yield* folder
      const { baseUrl, requests } = yield* service((response) => void response.writeHead(401).end())
      const { code, stdout } = yield* run(["generate", "x", "--emulate", "--json"], { cwd, baseUrl })
      assert.deepStrictEqual([code, requests()], [0, 0])
      assert.isTrue((yield* Schema.decodeEffect(Output)(stdout)).emulated)
      const keyless = yield* run(["generate", "y", "--emulate", "--size", "64x64"], { cwd })
      assert.notInclude(keyless.stderr, "No key")
    }).pipe(Effect.scoped)
  )

  it.live("a failure is 1, with the message of its reason and no stack", () =>
    Effect.gen(function* () {
      const cwd = yield* folder
      const { baseUrl } = yield* service((response) => void response.writeHead(401).end('{"message":"Unknown key"}'))
      const { code, stderr, stdout } = yield* run(["generate", "x", "--json"], { cwd, baseUrl })
      assert.strictEqual(code, 1)
      assert.match(stderr, /The key is missing or was refused \(401\): Unknown key/)
      assert.notMatch(stderr, /^\s+at /m)
      assert.notInclude(stderr, "sk-do-test")
      const { emulated, error } = yield* Schema.decodeEffect(Failure)(stdout)
      assert.deepStrictEqual([error.reason, error.mayHaveBeenCharged], ["AuthenticationError", false])
      assert.isFalse(emulated)
    }).pipe(Effect.scoped)
  )

  it.live("--timeout and --retry reach the call", () =>
    Effect.gen(function* () {
      const cwd = yield* folder
      const { baseUrl, requests } = yield* service((response) => void response.writeHead(429).end())
      yield* run(["generate", "x", "--retry", "none"], { cwd, baseUrl })
      assert.strictEqual(requests(), 1)
      const silent = yield* service(() => undefined)
      const { code, stdout } = yield* run(["generate", "x", "--timeout", "0.2", "--json"], {
        cwd,
        baseUrl: silent.baseUrl
      })
      assert.strictEqual(code, 1)
      assert.strictEqual((yield* Schema.decodeEffect(Failure)(stdout)).error.reason, "RequestTimeoutError")
    }).pipe(Effect.scoped)
  )

  it.live("keeps what was paid for when a stream breaks off", () =>
    Effect.gen(function* () {
      const cwd = yield* folder
      const { baseUrl } = yield* service(
        (response) => void response.writeHead(200, { "content-type": "text/event-stream" }).end(partialImage)
      )
      const { code, stderr, stdout } = yield* run(["generate", "x", "--partial-images", "1", "--json"], {
        cwd,
        baseUrl
      })
      assert.strictEqual(code, 1)
      assert.match(stderr, /Saved an image that had arrived: x-kept\.bin/)
      assert.deepStrictEqual((yield* Schema.decodeEffect(Failure)(stdout)).kept, [join(cwd, "x-kept.bin")])
      assert.strictEqual(yield* Effect.promise(() => readFile(join(cwd, "x-kept.bin"), "utf8")), "a first impression")
    }).pipe(Effect.scoped)
  )

  it.live("a picture whose name was taken meanwhile gets the next free one", () =>
    Effect.gen(function* () {
      const cwd = yield* folder
      const { baseUrl } = yield* service((response) => {
        mkdirSync(join(cwd, "x-1.bin")) // The command has already checked that no file has this name.
        response.end(reply("first", "second"))
      })
      const { code, stdout } = yield* run(["generate", "x", "--model", "another", "--n", "2", "--json"], {
        cwd,
        baseUrl
      })
      assert.strictEqual(code, 0)
      assert.include(stdout, "x-1-2.bin")
      assert.strictEqual(yield* Effect.promise(() => readFile(join(cwd, "x-1-2.bin"), "utf8")), "first")
      assert.strictEqual(yield* Effect.promise(() => readFile(join(cwd, "x-2.bin"), "utf8")), "second")
    }).pipe(Effect.scoped)
  )

  it.live("pictures that cannot be written at their place are kept elsewhere", () =>
    Effect.gen(function* () {
      const cwd = yield* folder
      const { baseUrl } = yield* service((response) => {
        writeFileSync(join(cwd, "out"), "") // The command was going to make a folder with this name.
        response.end(reply("first", "second"))
      })
      const args = ["generate", "x", "--model", "another", "--n", "2", "--output", "out/x"]
      const { code, stderr, stdout } = yield* run([...args, "--json"], { cwd, baseUrl })
      assert.strictEqual(code, 1)
      const { error, kept } = yield* Schema.decodeEffect(Refusal)(stdout)
      assert.strictEqual(error.reason, "WriteError")
      assert.match(error.message, /x-1\.bin could not be written: .*out/)
      const texts = yield* Effect.forEach(kept, (path) => Effect.promise(() => readFile(path, "utf8")))
      assert.deepStrictEqual(texts, ["first", "second"])
      for (const path of kept) {
        assert.include(stderr, path)
        yield* Effect.promise(() => rm(path))
      }
    }).pipe(Effect.scoped)
  )

  it.live("takes a name as long as the file system does, and cuts that of a prompt by its bytes", () =>
    Effect.gen(function* () {
      const cwd = yield* folder
      const name = `${"a".repeat(251)}.png`
      assert.strictEqual((yield* run(["generate", "x", "--size", "64x64", "-o", name], { cwd })).code, 0)
      assert.strictEqual((yield* run(["generate", "\u{20000}".repeat(60), "--size", "64x64"], { cwd })).code, 0)
      assert.deepStrictEqual(yield* list(cwd), [name, `${"\u{20000}".repeat(50)}.png`])
    }).pipe(Effect.scoped)
  )

  it.live("refuses a file that is a folder before anything is sent, even with --overwrite", () =>
    Effect.gen(function* () {
      const cwd = yield* folder
      const { baseUrl, requests } = yield* service((response) => void response.end(reply("first")))
      mkdirSync(join(cwd, "mine.png"))
      const { code, stderr } = yield* run(["generate", "x", "-o", "mine", "--overwrite"], { cwd, baseUrl })
      assert.deepStrictEqual([code, requests()], [2, 0])
      assert.match(stderr, /mine\.png is a folder.*--output.*Nothing was sent/)
    }).pipe(Effect.scoped)
  )

  it.live("writes into a folder that exists, with or without a slash at its end, a file named after the prompt", () =>
    Effect.gen(function* () {
      const cwd = yield* folder
      mkdirSync(join(cwd, "a.webp"))
      for (const [prompt, output] of [
        ["one", "."],
        ["two", "a.webp"],
        ["three", "a.webp/.."]
      ] as const) {
        assert.strictEqual((yield* run(["generate", prompt, "--size", "64x64", "-o", output], { cwd })).code, 0)
      }
      assert.deepStrictEqual(yield* list(cwd), ["a.webp", "one.png", "three.png"])
      assert.deepStrictEqual(yield* list(join(cwd, "a.webp")), ["two.png"])
    }).pipe(Effect.scoped)
  )

  it.live("refuses a folder that is a file before anything is sent, and says what to do", () =>
    Effect.gen(function* () {
      const cwd = yield* folder
      const { baseUrl, requests } = yield* service((response) => void response.end(reply("first")))
      yield* Effect.promise(() => writeFile(join(cwd, "file"), "mine"))
      for (const output of ["file/x.png", "file/sub/x.png", "file/"]) {
        const { code, stderr } = yield* run(["generate", "x", "-o", output], { cwd, baseUrl })
        assert.deepStrictEqual([code, requests()], [2, 0])
        assert.match(stderr, /file is not a folder: choose another --output\. Nothing was sent/)
      }
    }).pipe(Effect.scoped)
  )

  it.live.skipIf(process.getuid?.() === 0)("refuses a folder that cannot be written to before anything is sent", () =>
    Effect.gen(function* () {
      const cwd = yield* folder
      const { baseUrl, requests } = yield* service((response) => void response.end(reply("first")))
      mkdirSync(join(cwd, "locked"), { mode: 0o500 })
      const { code, stderr } = yield* run(["generate", "x", "-o", "locked/new/"], { cwd, baseUrl })
      assert.deepStrictEqual([code, requests()], [2, 0])
      assert.match(stderr, /locked cannot be written to: choose another --output\. Nothing was sent/)
    }).pipe(Effect.scoped)
  )

  it.live("a call that is refused leaves no folder", () =>
    Effect.gen(function* () {
      const cwd = yield* folder
      const { baseUrl } = yield* service((response) => void response.writeHead(401).end())
      assert.strictEqual((yield* run(["generate", "x", "-o", "new/folder/"], { cwd, baseUrl })).code, 1)
      assert.deepStrictEqual(yield* list(cwd), [])
    }).pipe(Effect.scoped)
  )

  it.live.each([
    {
      name: "with the next one half done",
      events: completed + partialImage,
      left: ["a masterpiece", "a first impression"]
    },
    { name: "once, if it was the last", events: completed + failed, left: ["a masterpiece"] }
  ])("keeps the finished image of a stream that fails, $name", ({ events, left }) =>
    Effect.gen(function* () {
      const cwd = yield* folder
      const { baseUrl } = yield* service(
        (response) => void response.writeHead(200, { "content-type": "text/event-stream" }).end(events)
      )
      const args = ["generate", "x", "--model", "another", "--n", "2", "--partial-images", "1", "--json"]
      const { code, stdout } = yield* run(args, { cwd, baseUrl })
      assert.strictEqual(code, 1)
      const { kept } = yield* Schema.decodeEffect(Refusal)(stdout)
      assert.deepStrictEqual(yield* Effect.forEach(kept, (path) => Effect.promise(() => readFile(path, "utf8"))), left)
    }).pipe(Effect.scoped)
  )

  it.live("what one failure kept is not replaced by the next", () =>
    Effect.gen(function* () {
      const cwd = yield* folder
      const { baseUrl } = yield* service(
        (response) => void response.writeHead(200, { "content-type": "text/event-stream" }).end(partialImage)
      )
      const args = ["generate", "x", "--partial-images", "1"]
      yield* run(args, { cwd, baseUrl })
      yield* run(args, { cwd, baseUrl })
      assert.deepStrictEqual(yield* list(cwd), ["x-kept-2.bin", "x-kept.bin"])
    }).pipe(Effect.scoped)
  )

  it.live.each([
    { name: "the service", headers: {}, says: /Cancelled\. .*may still charge/ },
    { name: "an emulator, which charges for nothing,", headers: { "x-emulated": "true" }, says: /Cancelled\.$/m }
  ])("SIGINT keeps the last picture that a stream of $name has shown", ({ headers, says }) =>
    Effect.gen(function* () {
      const cwd = yield* folder
      const { baseUrl } = yield* service((response) => {
        response.writeHead(200, { "content-type": "text/event-stream", ...headers }).write(partialImage)
      })
      const running = yield* start(["generate", "x", "--partial-images", "1"], { cwd, baseUrl })
      let said = ""
      const shown = yield* Deferred.make<void>()
      const reading = yield* running.stderr.pipe(
        Stream.decodeText,
        Stream.runForEach((text) => {
          said += text
          return said.includes("Image 1 of 1") ? Deferred.succeed(shown, undefined) : Effect.void
        }),
        Effect.forkScoped
      )
      yield* Deferred.await(shown)
      yield* Effect.forkScoped(running.kill({ killSignal: "SIGINT" }))
      assert.strictEqual(Number(yield* running.exitCode), 130)
      yield* Fiber.join(reading)
      assert.match(said, says)
      assert.match(said, /Saved an image that had arrived: x-kept\.bin/)
      assert.strictEqual(yield* Effect.promise(() => readFile(join(cwd, "x-kept.bin"), "utf8")), "a first impression")
    }).pipe(Effect.scoped)
  )

  it.live.each([
    { name: "an unknown flag", args: ["x", "--colour"], named: ["--colour"] },
    { name: "a flag that is not a number", args: ["x", "--n", "two"], named: ["--n", "two"] },
    { name: "an unknown retry policy", args: ["x", "--retry", "always"], named: ["charge-safe", "eager", "none"] },
    { name: "a duration that cannot be read", args: ["x", "--timeout", "soon"], named: ["--timeout", "soon"] },
    { name: "no prompt", args: [], named: ["prompt"] },
    { name: "an unknown fault", command: "emulator", args: ["--fault", "rain"], named: ["rain", "reset-body"] },
    {
      name: "a fault without what it needs",
      command: "emulator",
      args: ["--fault", "stall-body@100"],
      named: ["stall-body needs a value: write stall-body=<duration>"]
    },
    {
      name: "broken rules, all named at once",
      args: ["x", "--n", "11", "--output-compression", "101", "--partial-images", "4"],
      named: ["--n must be 1 to 10 (got 11)", "--output-compression must be", "--partial-images must be"]
    },
    {
      name: "the whole endpoint as base URL",
      args: ["x", "--base-url", "https://127.0.0.1:1/v1/images/generations"],
      named: ["--base-url must be the address before /images/generations"]
    },
    {
      name: "a broken rule that depends on another flag",
      args: ["x", "--output-compression", "50", "-o", "new/folder/x.png"],
      named: ["--output-compression must be 100 if the format is png or not set (got 50)"]
    },
    {
      name: "a file of a format that is not known",
      args: ["x", "-o", "a.gif"],
      named: ["--output a.gif ends in .gif", "png, webp or jpeg", "--output-format gif"]
    },
    {
      name: "a file whose name ends in a dot",
      args: ["x", "-o", "otter."],
      named: ["--output otter. ends in ., which is not a known format: use png, webp or jpeg. Nothing was sent."]
    },
    {
      name: "a file and a format that differ",
      args: ["x", "--output-format", "webp", "-o", "f.png"],
      named: ["--output f.png ends in .png, but --output-format asks for webp"]
    },
    { name: "no file's name", args: ["x", "-o", ""], named: ["--output"] },
    { name: "a port that is too high", command: "emulator", args: ["--port", "99999"], named: ["--port", "65535"] },
    { name: "a port below 0", command: "emulator", args: ["--port", "-1"], named: ["--port", "65535"] }
  ])("wrong usage is 2: $name", ({ args, command = "generate", named }) =>
    Effect.gen(function* () {
      const cwd = yield* folder
      const { code, stderr } = yield* run([command, ...args], { cwd })
      assert.strictEqual(code, 2)
      for (const part of named) assert.include(stderr, part)
      assert.deepStrictEqual(yield* list(cwd), [])
    }).pipe(Effect.scoped)
  )

  it.live("a model that does not exist is named, with the variable that it came from and how to list the others", () =>
    Effect.gen(function* () {
      const cwd = yield* folder
      const { baseUrl } = yield* service((response) => {
        response.writeHead(404, { "content-type": "application/json" })
        response.end('{"id":"not_found","message":"Model not found"}')
      })
      const { code, stderr } = yield* run(["generate", "x"], { cwd, baseUrl, model: "gone-1" })
      assert.strictEqual(code, 1)
      assert.include(stderr, "Waiting for gone-1")
      assert.include(stderr, '"gone-1", from GRADIENT_IMAGE_MODEL: Model not found')
      assert.include(stderr, "gradient-images models")
    }).pipe(Effect.scoped)
  )

  it.live("SIGINT cancels the request, says what it may cost, leaves no half file, and is 130", () =>
    Effect.gen(function* () {
      const cwd = yield* folder
      const { asked, baseUrl, closed } = yield* service((response) => {
        response.writeHead(200, { "content-type": "application/json" })
        response.write('{"created":1,"data":[{"b64_json":"iVBORw0KGgo')
      })
      const running = yield* start(["generate", "x"], { cwd, baseUrl })
      const said = yield* Effect.forkScoped(Stream.mkString(Stream.decodeText(running.stderr)))
      yield* asked
      yield* Effect.forkScoped(running.kill({ killSignal: "SIGINT" }))
      assert.strictEqual(Number(yield* running.exitCode), 130)
      assert.match(yield* Fiber.join(said), /Cancelled\..* may still charge/)
      yield* closed
      assert.deepStrictEqual(yield* list(cwd), [])
    }).pipe(Effect.scoped)
  )
})

describe("gradient-images models", () => {
  const known = '{"data":[{"id":"openai-gpt-image-2","created":1760000000,"owned_by":"openai"},{"id":"other"}]}'

  it.live("prints one id a line, and with --json everything that is known", () =>
    Effect.gen(function* () {
      const cwd = yield* folder
      const { baseUrl } = yield* service((response) => {
        response.writeHead(200, { "content-type": "application/json" })
        response.end(known)
      })
      const plain = yield* run(["models"], { cwd, baseUrl })
      assert.deepStrictEqual([plain.code, plain.stdout], [0, "openai-gpt-image-2\nother\n"])
      const { stdout } = yield* run(["models", "--json"], { cwd, baseUrl })
      assert.deepStrictEqual(JSON.parse(stdout), [
        { id: "openai-gpt-image-2", created: "2025-10-09T08:53:20.000Z", ownedBy: "openai" },
        { id: "other" }
      ])
    }).pipe(Effect.scoped)
  )

  it.live("a failure that is retried is one line", () =>
    Effect.gen(function* () {
      const cwd = yield* folder
      const { baseUrl } = yield* service((response) => response.writeHead(503, { "retry-after": "0" }).end())
      const { code, stderr } = yield* run(["models"], { cwd, baseUrl })
      assert.strictEqual(code, 1)
      assert.match(stderr, /^The service failed \(503\).*\(3 attempts\)\n$/)
    }).pipe(Effect.scoped)
  )

  it.live("a failure is 1, in one line", () =>
    Effect.gen(function* () {
      const cwd = yield* folder
      const { baseUrl } = yield* service((response) => response.writeHead(401).end())
      const { code, stderr, stdout } = yield* run(["models"], { cwd, baseUrl })
      assert.deepStrictEqual([code, stdout], [1, ""])
      assert.include(stderr, "The key is missing or was refused (401)")
    }).pipe(Effect.scoped)
  )
})

describe("gradient-images emulator", () => {
  it.live(
    "serves until SIGTERM, and then stops at once whoever is still waiting",
    () =>
      Effect.gen(function* () {
        const cwd = yield* folder
        const server = yield* start(["emulator", "--port", "0", "--latency", "60"], { cwd })
        const first = yield* server.stdout.pipe(Stream.decodeText, Stream.splitLines, Stream.take(1), Stream.mkString)
        const baseUrl = first.replace("Listening on ", "")
        const client = yield* start(["generate", "x"], { cwd, baseUrl })
        yield* client.stderr.pipe(
          Stream.decodeText,
          Stream.takeUntil((line) => line.includes("Waiting")),
          Stream.runDrain
        )
        yield* Effect.forkScoped(server.kill({ killSignal: "SIGTERM" }))
        assert.strictEqual(Number(yield* server.exitCode), 143)
        assert.strictEqual(Number(yield* client.exitCode), 1)
      }).pipe(Effect.scoped),
    10_000
  )

  it.live("says that a port is taken", () =>
    Effect.gen(function* () {
      const cwd = yield* folder
      const { baseUrl } = yield* service(() => undefined)
      const { code, stderr } = yield* run(["emulator", "--port", new URL(baseUrl).port], { cwd })
      assert.strictEqual(code, 1)
      assert.match(stderr, /address already in use.*--port 0/)
    }).pipe(Effect.scoped)
  )

  it.live("shows the grammar of faults in its help", () =>
    Effect.gen(function* () {
      const { code, stdout } = yield* run(["emulator", "--help"], { cwd: yield* folder })
      assert.strictEqual(code, 0)
      for (const line of Fault.grammar.split("\n")) assert.include(stdout, line)
      const main = yield* run(["--help"], { cwd: yield* folder })
      assert.notInclude(main.stdout, "stall-body")
    }).pipe(Effect.scoped)
  )

  it.live("logs each request in one line on standard error, and answers for no model but its own", () =>
    Effect.gen(function* () {
      const cwd = yield* folder
      const args = ["emulator", "--port", "0", "--images", "plain", "--model", "one", "--model", "two"]
      const server = yield* start([...args, "--fault", "retired=two"], { cwd })
      const output = yield* server.stdout.pipe(Stream.decodeText, Stream.splitLines, Stream.take(2), Stream.runCollect)
      const baseUrl = String(output[0]).replace("Listening on ", "")
      for (const [model, status] of [
        ["one", 200],
        ["two", 404],
        ["three", 404]
      ] as const) {
        const response = yield* Effect.promise(() =>
          fetch(`${baseUrl}/images/generations`, {
            method: "POST",
            headers: { authorization: "Bearer any" },
            body: JSON.stringify({ prompt: "x", n: 2, model })
          })
        )
        assert.strictEqual(response.status, status)
        yield* Effect.promise(() => response.text())
      }
      const logged = yield* server.stderr.pipe(Stream.decodeText, Stream.splitLines, Stream.take(3), Stream.runCollect)
      assert.deepStrictEqual(
        logged.map((line) => line.replace(/^.*POST/, "POST").replace(/\d+ ms/, "N ms")),
        [
          "POST /v1/images/generations 200 N ms, charged: 2 x one",
          "POST /v1/images/generations 404 N ms, not charged",
          "POST /v1/images/generations 404 N ms, not charged"
        ]
      )
    }).pipe(Effect.scoped)
  )

  it.live("says that nobody listens if every connection is refused, and what refuse means for some of them", () =>
    Effect.gen(function* () {
      const cwd = yield* folder
      const none = yield* start(["emulator", "--port", "0", "--fault", "refuse"], { cwd })
      const line = yield* none.stdout.pipe(Stream.decodeText, Stream.splitLines, Stream.take(1), Stream.mkString)
      assert.match(line, /^Nothing listens on http:/)
      const some = yield* start(["emulator", "--port", "0", "--fault", "refuse x2"], { cwd })
      const note = yield* some.stderr.pipe(Stream.decodeText, Stream.splitLines, Stream.take(1), Stream.mkString)
      assert.match(note, /looks like a lost request.*"--fault refuse"/)
    }).pipe(Effect.scoped)
  )

  it.live("draws for whoever asks on its port, once its faults are used up", () =>
    Effect.gen(function* () {
      const cwd = yield* folder
      const fault = "status=429;retry-after-ms=1 x2"
      const server = yield* start(["emulator", "--port", "0", "--fault", fault], { cwd })
      const first = yield* server.stdout.pipe(Stream.decodeText, Stream.splitLines, Stream.take(1), Stream.mkString)
      const baseUrl = first.replace("Listening on ", "")
      const refused = yield* run(["generate", "A pine", "--retry", "none"], { cwd, baseUrl })
      assert.strictEqual(refused.code, 1)
      const { code, stdout } = yield* run(["generate", "A pine", "--json"], { cwd, baseUrl })
      assert.strictEqual(code, 0)
      assert.isTrue((yield* Schema.decodeEffect(Output)(stdout)).emulated)
      yield* Effect.promise(() => access(join(cwd, "a-pine.png")))
    }).pipe(Effect.scoped)
  )
})
