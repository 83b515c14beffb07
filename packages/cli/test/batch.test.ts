import { assert, describe, it } from "@effect/vitest"
import { Effect, Fiber, Queue, Schema, Stream } from "effect"
import { readdir, readFile, writeFile } from "node:fs/promises"
import type { ServerResponse } from "node:http"
import { join } from "node:path"
import { bucket as s3Bucket } from "./support/bucket.ts"
import { folder, type Invocation, run, start } from "./support/cli.ts"
import { service } from "./support/service.ts"

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

/** Makes a folder with a file of requests: `otters.jsonl`. */
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
        assert.include(exported.stdout, "3 images were written to out.")
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
        assert.include(stderr, "1 requests failed, and were not charged for. To send them again, run")
        assert.match(stderr, /otters\/.*: ContentPolicyError/)
        assert.include(stderr, "1 requests are in doubt: they may have been charged for")
        assert.match(
          stderr,
          /generations resolve --repeat --in-doubt --at-most IMAGES --journal \S+journal.sqlite --store \S+,/
        )
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
        assert.include(
          other.stderr,
          'the batch "otters" has other lines than the batch of this name in the store. Give the changed file another name'
        )
        const bucket = yield* run(["batch", "run", "otters.jsonl", "--store", "s3://b/c"], { cwd, baseUrl })
        assert.include(bucket.stderr, "With --store s3://b/c, --journal is required")
        const worker = yield* run(["batch", "worker", "foxes", "--store", "images"], { cwd, baseUrl })
        assert.include(worker.stderr, 'name must be the name of a batch in this store (got "foxes")')
      }).pipe(Effect.scoped),
    90_000
  )

  it.live(
    "names what a person has given up, and exits with 0: nothing is left to do",
    () =>
      Effect.gen(function* () {
        const cwd = yield* withFile(...lines)
        let count = 0
        const { baseUrl } = yield* service((response) =>
          count++ === 0 ? response.writeHead(500).end("{}") : response.end(reply)
        )
        const first = yield* run([...running, "--concurrency", "1"], { cwd, baseUrl })
        const [, key = ""] = /(otters\/.*): InternalServerError/.exec(first.stderr) ?? []
        const place = ["--journal", "images/journal.sqlite", "--store", "images"]
        const given = yield* run(["generations", "resolve", key, "--abandon", "--attempt", "1", ...place], { cwd })
        assert.strictEqual(given.code, 0, given.stderr)
        const again = yield* run(running, { cwd, baseUrl })
        assert.deepStrictEqual([again.code, count], [0, 3])
        assert.include(again.stderr, "2 of 3 done, 1 abandoned")
        assert.notInclude(again.stderr, "in doubt")
      }).pipe(Effect.scoped),
    90_000
  )
})

/** A service that replies to no request until `open` runs. */
const held = Effect.gen(function* () {
  const waiting: Array<ServerResponse> = []
  const arrived = yield* Queue.unbounded<void>()
  let isOpen = false
  const { baseUrl, requests } = yield* service((response) => {
    if (isOpen) return void response.end(reply)
    waiting.push(response)
    return void Queue.offerUnsafe(arrived, undefined)
  })
  const open = Effect.sync(() => {
    isOpen = true
    for (const response of waiting) response.end(reply)
  })
  return { baseUrl, requests, open, arrived: (count: number) => Queue.takeN(arrived, count) }
})

/** Starts a command, and collects what it prints on standard error. */
const started = Effect.fnUntraced(function* (args: ReadonlyArray<string>, invocation: Invocation) {
  const child = yield* start(args, invocation)
  let said = ""
  const reading = yield* child.stderr.pipe(
    Stream.decodeText,
    Stream.runForEach((text) => Effect.sync(() => (said += text))),
    Effect.forkScoped
  )
  const saying = Effect.gen(function* () {
    while (!said.includes("Waiting for the requests that were sent")) yield* Effect.sleep("20 millis")
  })
  return {
    saying,
    interrupt: Effect.forkScoped(child.kill({ killSignal: "SIGINT", forceKillAfter: "1 minute" })),
    hangUp: Effect.forkScoped(child.kill({ killSignal: "SIGHUP", forceKillAfter: "1 minute" })),
    ended: Effect.andThen(Fiber.join(reading), Effect.map(child.exitCode, Number)),
    said: () => said
  }
})

describe("Ctrl-C of a batch", () => {
  it.live(
    "lets the requests finish that were sent and sends no others; the same command sends the rest",
    () =>
      Effect.gen(function* () {
        const cwd = yield* withFile(...lines)
        const { arrived, baseUrl, open, requests } = yield* held
        const { ended, interrupt, said, saying } = yield* started([...running, "--concurrency", "2"], { cwd, baseUrl })
        yield* arrived(2)
        yield* interrupt
        yield* saying
        yield* open
        assert.strictEqual(yield* ended, 130)
        assert.strictEqual(requests(), 2)
        assert.include(said(), "Ctrl-C again ends at once and leaves them in doubt.")
        const status = yield* run(["batch", "status", "otters", "--store", "images"], { cwd })
        assert.include(status.stdout, "2 of 3 done")
        const again = yield* run(running, { cwd, baseUrl })
        assert.deepStrictEqual([again.code, requests()], [0, 3], again.stderr)
        assert.include(again.stderr, "3 of 3 done")
      }).pipe(Effect.scoped),
    90_000
  )

  it.live.each([
    { first: "interrupt", exitCode: 130 },
    { first: "hangUp", exitCode: 129 }
  ] as const)(
    "does not wait if the terminal is closed afterwards, and ends with the code of the first signal: $first",
    ({ exitCode, first }) =>
      Effect.gen(function* () {
        const cwd = yield* withFile(...lines)
        const { arrived, baseUrl } = yield* held
        const command = yield* started(running, { cwd, baseUrl })
        yield* arrived(3)
        yield* command[first]
        yield* command.saying
        yield* command.hangUp
        assert.strictEqual(yield* command.ended, exitCode)
      }).pipe(Effect.scoped),
    90_000
  )

  it.live(
    "does not wait if it is pressed a second time",
    () =>
      Effect.gen(function* () {
        const cwd = yield* withFile(...lines)
        const { arrived, baseUrl, requests } = yield* held
        const { ended, interrupt, saying } = yield* started(running, { cwd, baseUrl })
        yield* arrived(3)
        yield* interrupt
        yield* saying
        yield* interrupt
        // The service never answers.
        assert.strictEqual(yield* ended, 130)
        assert.strictEqual(requests(), 3)
        const status = yield* run(["batch", "status", "otters", "--store", "images"], { cwd })
        assert.include(status.stdout, "0 of 3 done, 3 under way")
      }).pipe(Effect.scoped),
    90_000
  )
})

describe("a batch in a bucket", () => {
  const inBucket = (store: string) => ["batch", "run", "otters.jsonl", "--store", store, "--journal", "otters.db"]

  it.live(
    "keeps images and requests in the bucket, and continues from there",
    () =>
      Effect.gen(function* () {
        const cwd = yield* withFile(...lines)
        const { directory, env } = yield* s3Bucket
        const { baseUrl, requests } = yield* service((response) => response.end(reply))
        const first = yield* run(inBucket("s3://images/animals"), { cwd, baseUrl, env })
        assert.strictEqual(first.code, 0, first.stderr)
        const objects = yield* Effect.promise(() => readdir(join(directory, "images", "animals"), { recursive: true }))
        assert.strictEqual(objects.filter((name) => /image-0\.png/.test(name) && !/metadata|md5/.test(name)).length, 3)
        const again = yield* run(inBucket("s3://images/animals"), { cwd, baseUrl, env })
        assert.deepStrictEqual([again.code, requests()], [0, 3])
        const place = ["--store", "s3://images/animals", "--journal", "otters.db"]
        yield* run(["batch", "export", "otters", ...place, "--to", "out"], { cwd, env })
        assert.deepStrictEqual([...(yield* Effect.promise(() => readFile(join(cwd, "out/a.png"))))], [...png])
      }).pipe(Effect.scoped),
    90_000
  )

  it.live(
    "refuses a bucket that does not exist, and credentials that are missing or wrong, before anything is sent",
    () =>
      Effect.gen(function* () {
        const cwd = yield* withFile(...lines)
        const { env } = yield* s3Bucket
        const { baseUrl, requests } = yield* service((response) => response.end(reply))
        const attempts = [
          ["s3://others/animals", env, "The bucket others failed to GET"],
          ["s3://others/animals", env, "404 the bucket does not exist"],
          ["s3://images", { ...env, AWS_SECRET_ACCESS_KEY: "wrong" }, "403 the secret access key is wrong"],
          ["s3://images", { ...env, AWS_ACCESS_KEY_ID: "unknown" }, "403 the access key is unknown"],
          ["s3://images", { AWS_ENDPOINT_URL_S3: env.AWS_ENDPOINT_URL_S3 }, "AWS_ACCESS_KEY_ID"]
        ] as const
        for (const [store, given, message] of attempts) {
          const { code, stderr } = yield* run(inBucket(store), { cwd, baseUrl, env: given })
          assert.strictEqual(code, 2, stderr)
          assert.include(stderr, message)
        }
        assert.strictEqual(requests(), 0)
      }).pipe(Effect.scoped),
    90_000
  )
})
