import { assert, beforeAll, describe, it } from "@effect/vitest"
import { Effect, Schema } from "effect"
import { readdir, readFile, writeFile } from "node:fs/promises"
import { join } from "node:path"
import { build, folder, run } from "./support/cli.ts"
import { service } from "./support/service.ts"

beforeAll(build)

const png = Buffer.concat([Buffer.from("89504e470d0a1a0a", "hex"), Buffer.alloc(200, "otter")])
const reply = JSON.stringify({
  created: 1_700_000_000,
  data: [{ b64_json: png.toString("base64") }],
  usage: { input_tokens: 1, output_tokens: 2, total_tokens: 3 }
})
const refusal = JSON.stringify({ error: { message: "no", code: "moderation_blocked" } })

const Progress = Schema.fromJsonString(
  Schema.Struct({ total: Schema.Int, done: Schema.Int, failed: Schema.Int, inDoubt: Schema.Int })
)

/** A folder with a file of requests. */
const withFile = Effect.fnUntraced(function* (...lines: ReadonlyArray<string>) {
  const cwd = yield* folder
  yield* Effect.promise(() => writeFile(join(cwd, "otters.jsonl"), lines.map((line) => `${line}\n`).join("")))
  return cwd
})

const lines = ["a", "b/../c", "d"].map((id) => JSON.stringify({ id, prompt: `otter ${id}`, output_format: "png" }))
const running = ["batch", "run", "otters.jsonl", "--store", "images"]

describe("batch", () => {
  it.live(
    "runs a file to its end, continues it, shows how far it is, and exports the images",
    () =>
      Effect.gen(function* () {
        const cwd = yield* withFile(...lines)
        const { baseUrl, requests } = yield* service((response) => response.end(reply))
        const first = yield* run([...running, "--json"], { cwd, baseUrl })
        assert.strictEqual(first.code, 0, first.stderr)
        const last = yield* Schema.decodeEffect(Progress)(first.stdout.trim().split("\n").at(-1) ?? "")
        assert.deepStrictEqual(last, { total: 3, done: 3, failed: 0, inDoubt: 0 })
        const again = yield* run(running, { cwd, baseUrl })
        assert.deepStrictEqual([again.code, requests()], [0, 3])
        assert.include(again.stderr, "3 of 3 done")
        const status = yield* run(["batch", "status", "otters", "--store", "images"], { cwd })
        assert.strictEqual(status.stdout, "3 of 3 done, 9 tokens\n")
        const exported = yield* run(["batch", "export", "otters", "--store", "images", "--to", "out"], { cwd })
        assert.include(exported.stdout, "3 images are in out.")
        assert.sameMembers(yield* Effect.promise(() => readdir(join(cwd, "out"))), [
          "a.png",
          "b%2F%2E%2E%2Fc.png",
          "d.png"
        ])
        assert.deepStrictEqual([...(yield* Effect.promise(() => readFile(join(cwd, "out/a.png"))))], [...png])
      }).pipe(Effect.scoped),
    90_000
  )

  it.live(
    "exits with 1 if a request failed or is in doubt, names it, and says what to do",
    () =>
      Effect.gen(function* () {
        const cwd = yield* withFile(...lines)
        let count = 0
        const { baseUrl } = yield* service((response) => {
          count++
          if (count === 1) return response.writeHead(400).end(refusal)
          return count === 2 ? response.writeHead(500).end("{}") : response.end(reply)
        })
        const { code, stderr } = yield* run([...running, "--concurrency", "1"], { cwd, baseUrl })
        assert.strictEqual(code, 1)
        assert.include(stderr, "1 requests failed, and were not charged for. Run the same command again")
        assert.match(stderr, /otters\/.*: ContentPolicyError/)
        assert.include(stderr, "1 requests are in doubt: they may have been charged for")
        assert.include(stderr, "gradient-images generations resolve --repeat --in-doubt --at-most N")
        assert.match(stderr, /otters\/.*: InternalServerError/)
        const second = yield* run(running, { cwd, baseUrl })
        assert.deepStrictEqual([second.code, count], [1, 4])
        assert.notInclude(second.stderr, "requests failed")
      }).pipe(Effect.scoped),
    90_000
  )

  it.live(
    "refuses bad lines, another file under a name, a bucket without a journal, and an unknown batch",
    () =>
      Effect.gen(function* () {
        const cwd = yield* withFile('{"id":"a","prompt":"x","n":11}', "{")
        const { baseUrl, requests } = yield* service((response) => response.end(reply))
        const bad = yield* run(running, { cwd, baseUrl })
        assert.strictEqual(bad.code, 2)
        assert.match(bad.stderr, /line 1: n must be 1 to 10 \(got 11\); line 2 must be JSON/)
        yield* Effect.promise(() => writeFile(join(cwd, "otters.jsonl"), lines[0] ?? ""))
        yield* run(running, { cwd, baseUrl })
        yield* Effect.promise(() => writeFile(join(cwd, "otters.jsonl"), lines[1] ?? ""))
        const other = yield* run(running, { cwd, baseUrl })
        assert.deepStrictEqual([other.code, requests()], [1, 1])
        assert.include(other.stderr, 'the batch "otters" has other requests. Give the changed file another name')
        const bucket = yield* run(["batch", "run", "otters.jsonl", "--store", "s3://b/c"], { cwd, baseUrl })
        assert.include(bucket.stderr, "With --store s3://b/c, --journal is required")
        const worker = yield* run(["batch", "worker", "foxes", "--store", "images"], { cwd, baseUrl })
        assert.include(worker.stderr, 'name must be the name of a batch in this store (got "foxes")')
      }).pipe(Effect.scoped),
    90_000
  )
})
