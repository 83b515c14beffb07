import { assert, describe, it } from "@effect/vitest"
import { Effect, Schema } from "effect"
import { readdir } from "node:fs/promises"
import { folder, run } from "./support/cli.ts"
import { service } from "./support/service.ts"

/** A reply with an image. It has only the first bytes of a PNG, but these tests do not decode it. */
const png = '{"created":1,"data":[{"b64_json":"iVBORw0KGgo="}]}'

const Request = Schema.fromJsonString(Schema.Struct({ prompt: Schema.String }))

const Failure = Schema.fromJsonString(Schema.Struct({ error: Schema.Struct({ reason: Schema.String }) }))

/**
 * Runs `generate` with these bytes on standard input. The result also has the prompts that were sent and the names of
 * the written files.
 */
const draw = Effect.fnUntraced(function* (args: ReadonlyArray<string>, input: Uint8Array) {
  const cwd = yield* folder
  const { baseUrl, bodies } = yield* service((response) => void response.end(png))
  const result = yield* run(["generate", ...args], { cwd, baseUrl, input })
  const sent = yield* Effect.forEach(bodies(), (body) => Schema.decodeEffect(Request)(body))
  const prompts = sent.map(({ prompt }) => prompt)
  return { ...result, prompts, files: yield* Effect.promise(() => readdir(cwd)) }
}, Effect.scoped)

const utf16 = (text: string, order: "little" | "big") => {
  const bytes = Buffer.from(`\uFEFF${text}`, "utf16le")
  return order === "little" ? bytes : bytes.swap16()
}

describe.concurrent("the prompt on standard input", () => {
  it.live.each([
    { name: "UTF-8", input: Buffer.from("Ein Fuchs über dem Fluß\n") },
    { name: "UTF-8 with a byte order mark", input: Buffer.from("\uFEFFEin Fuchs über dem Fluß\r\n") },
    { name: "UTF-16, little endian", input: utf16("Ein Fuchs über dem Fluß\r\n", "little") },
    { name: "UTF-16, big endian", input: utf16("Ein Fuchs über dem Fluß\n", "big") }
  ])("is read as $name", ({ input }) =>
    Effect.gen(function* () {
      const { code, prompts } = yield* draw([], input)
      assert.deepStrictEqual([code, prompts], [0, ["Ein Fuchs über dem Fluß"]])
    })
  )

  it.live("is read if the argument is -", () =>
    Effect.gen(function* () {
      const { code, files, prompts } = yield* draw(["-"], Buffer.from("A red fox"))
      assert.deepStrictEqual([code, prompts, files], [0, ["A red fox"], ["a-red-fox.png"]])
    })
  )

  it.live("cannot leave the folder with a prompt that looks like a path", () =>
    Effect.gen(function* () {
      const { code, files } = yield* draw(["-"], Buffer.from("../../etc/C:\\passwd"))
      assert.deepStrictEqual([code, files], [0, ["etc-c-passwd.png"]])
    })
  )

  it.live.each([
    { name: "Latin-1", input: Buffer.from("Fluß", "latin1"), says: /not valid UTF-8/ },
    { name: "UTF-16 without a byte order mark", input: Buffer.from("A fox", "utf16le"), says: /zero bytes/ },
    { name: "half of a surrogate pair", input: utf16("A fox \uD83E", "little"), says: /not valid UTF-16LE/ },
    { name: "more than any prompt", input: Buffer.alloc(1_000_000, "x"), says: /too long/ },
    { name: "white space", input: Buffer.from(" \n\t"), says: /prompt must be/ }
  ])("is refused before anything is sent: $name", ({ input, says }) =>
    Effect.gen(function* () {
      const { code, files, prompts, stderr } = yield* draw([], input)
      assert.deepStrictEqual([code, prompts, files], [2, [], []])
      assert.match(stderr, says)
      assert.match(stderr, /Nothing was sent/)
      assert.notMatch(stderr, /Waiting/)
    })
  )
})

describe("a refused prompt", () => {
  it.live("is one object with --json", () =>
    Effect.gen(function* () {
      const { stdout } = yield* draw(["--json"], Buffer.from("Flu\u00df", "latin1"))
      const { error } = yield* Schema.decodeEffect(Failure)(stdout)
      assert.strictEqual(error.reason, "PromptError")
    })
  )
})

describe.concurrent("the prompt as an argument", () => {
  it.live("is refused if it is blank, in one line and before any line about waiting", () =>
    Effect.gen(function* () {
      const { code, prompts, stderr } = yield* draw(["  "], Buffer.from(""))
      assert.deepStrictEqual([code, prompts], [2, []])
      assert.match(stderr, /^A param or option is invalid: prompt must be [^\n]*\n$/)
    })
  )

  it.live.each(["NUL", "con", "Aux!", "COM1", "lpt9"])("gives no file the name of a device: %s", (prompt) =>
    Effect.gen(function* () {
      const { files } = yield* draw([prompt], Buffer.from(""))
      assert.deepStrictEqual(files, [`${prompt.replace("!", "").toLowerCase()}-image.png`])
    })
  )
})
