import { assert, describe, it } from "@effect/vitest"
import { Effect, Schema } from "effect"
import { mkdir, readFile, writeFile } from "node:fs/promises"
import { join } from "node:path"
import { folder, run } from "./support/cli.ts"
import { service } from "./support/service.ts"

const png = Buffer.concat([Buffer.from("89504e470d0a1a0a", "hex"), Buffer.alloc(200, "otter")])
const reply = JSON.stringify({
  created: 1_700_000_000,
  data: [{ b64_json: png.toString("base64") }],
  usage: { input_tokens: 1, output_tokens: 2, total_tokens: 3 }
})

const place = ["--journal", "journal.db", "--store", "images"]
const asking = ["generate", "A sea otter", "--overwrite", "--retry", "none", ...place]
const generate = (key: string, output = "otter.png") => [...asking, "--output", output, "--key", key]
const generations = (...args: ReadonlyArray<string>) => ["generations", ...args, ...place]

const Listed = Schema.fromJsonString(
  Schema.Struct({
    generations: Schema.Array(Schema.Struct({ key: Schema.String, status: Schema.String, attempt: Schema.Int })),
    totals: Schema.Struct({ generations: Schema.Int, images: Schema.Int, totalTokens: Schema.Int })
  })
)
const decodeListed = Schema.decodeUnknownSync(Listed)

describe("generate with a journal", () => {
  it.live(
    "pays once for a key, and writes the same image again",
    () =>
      Effect.gen(function* () {
        const cwd = yield* folder
        const { baseUrl, requests } = yield* service((response) => response.end(reply))
        assert.strictEqual((yield* run(generate("order 1"), { cwd, baseUrl })).code, 0)
        assert.strictEqual((yield* run(generate("order 1", "again.png"), { cwd, baseUrl })).code, 0)
        assert.strictEqual(requests(), 1)
        assert.deepStrictEqual([...(yield* Effect.promise(() => readFile(join(cwd, "again.png"))))], [...png])
        const { stdout } = yield* run(generations("list"), { cwd })
        assert.match(stdout, /order 1 +done +1 +openai-gpt-image-2 +1\/1 +3 /)
        assert.include(stdout, "1 generations, 1 images, 3 tokens")
      }).pipe(Effect.scoped),
    90_000
  )

  it.live(
    "needs all three flags, a known scheme, and a store that is a folder",
    () =>
      Effect.gen(function* () {
        const cwd = yield* folder
        const { baseUrl } = yield* service((response) => response.end(reply))
        yield* Effect.promise(() => writeFile(join(cwd, "file"), ""))
        const failing = (...args: ReadonlyArray<string>) => run(["generate", "A sea otter", ...args], { cwd, baseUrl })
        const alone = yield* failing("--key", "order 1")
        assert.deepStrictEqual([alone.code, alone.stderr.includes("must be set together")], [2, true])
        const scheme = yield* failing("--key", "k", "--journal", "mysql://host/db", "--store", "images")
        assert.include(scheme.stderr, "--journal must be a file or postgres://... (got mysql://...)")
        const bucket = yield* failing("--key", "k", "--journal", "journal.db", "--store", "s3://images/of-otters")
        assert.include(
          bucket.stderr,
          "The store needs its credentials. The environment variable AWS_ACCESS_KEY_ID is not set"
        )
        const other = yield* failing("--key", "k", "--journal", "journal.db", "--store", "ftp://host/images")
        assert.include(other.stderr, "--store must be a folder or s3://bucket/prefix (got ftp://...)")
        const file = yield* failing("--key", "k", "--journal", "journal.db", "--store", "file")
        assert.include(file.stderr, "The store must be a folder")
        const long = yield* failing("--key", "k".repeat(513), ...place)
        assert.include(long.stderr, "1 to 512 characters (got 513 characters)")
        const missing = yield* failing("--key", "k", "--journal", "no/folder/journal.db", "--store", "images")
        assert.include(missing.stderr, "The journal cannot be used")
      }).pipe(Effect.scoped),
    90_000
  )
})

describe("generations", () => {
  it.live(
    "settles doubts: one by its attempt, many with a ceiling on the images",
    () =>
      Effect.gen(function* () {
        const cwd = yield* folder
        const { baseUrl, requests } = yield* service((response) => response.destroy())
        for (const key of ["a", "b", "c"]) assert.strictEqual((yield* run(generate(key), { cwd, baseUrl })).code, 1)
        const doubt = yield* run(generate("a"), { cwd, baseUrl })
        assert.include(doubt.stderr, "its outcome is unknown")
        assert.strictEqual(requests(), 3)

        const unsure = yield* run(generations("resolve", "a", "--repeat"), { cwd })
        assert.include(unsure.stderr, "give a key and, as --attempt, the number of its last attempt")
        assert.strictEqual(
          (yield* run(generations("resolve", "a", "--abandon", "--attempt", "1"), { cwd })).stdout,
          "a: abandoned\n"
        )
        const many = yield* run(generations("resolve", "--repeat", "--in-doubt", "--at-most", "1"), { cwd })
        assert.strictEqual(many.stdout, "1 of 2 generations in doubt may be requested again, for 1 images at most.\n")

        const listed = decodeListed((yield* run(generations("list", "--json"), { cwd })).stdout)
        assert.deepStrictEqual(listed.generations.map(({ status }) => status).toSorted(), [
          "abandoned",
          "free",
          "in-doubt"
        ])
        const doubts = decodeListed((yield* run(generations("list", "--json", "--status", "in-doubt"), { cwd })).stdout)
        assert.strictEqual(doubts.totals.generations, 1)
      }).pipe(Effect.scoped),
    90_000
  )

  it.live(
    "shows, restores, prunes and erases",
    () =>
      Effect.gen(function* () {
        const cwd = yield* folder
        const { baseUrl } = yield* service((response) => response.end(reply))
        yield* run(generate("order 1"), { cwd, baseUrl })
        assert.include((yield* run(generations("show", "order 1"), { cwd })).stdout, '"status": "done"')
        yield* Effect.promise(() => mkdir(join(cwd, "restored")))
        const restored = ["generations", "reconcile", "--journal", "restored/journal.db", "--store", "images"]
        assert.strictEqual((yield* run(restored, { cwd })).stdout, "1 generations were written into the journal.\n")
        assert.strictEqual(
          (yield* run(generations("prune", "--older-than", "1h"), { cwd })).stdout,
          "0 generations, 0 images\n"
        )
        assert.strictEqual((yield* run(generations("erase", "order 1"), { cwd })).stdout, "1 generations, 1 images\n")
        const expired = yield* run(generate("order 1"), { cwd, baseUrl })
        assert.include(expired.stderr, "were removed")
      }).pipe(Effect.scoped),
    90_000
  )
})
