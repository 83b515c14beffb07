import { assert, describe, it } from "@effect/vitest"
import { Deferred, Effect, Fiber, Stream } from "effect"
import { readdir, readFile } from "node:fs/promises"
import type { ServerResponse } from "node:http"
import { join } from "node:path"
import sharp from "sharp"
import { folder, hasTerminal, run, runOnTerminal, start } from "./support/cli.ts"
import { service } from "./support/service.ts"

const picture = sharp({ create: { width: 60, height: 40, channels: 3, background: "teal" } })
const png = Effect.map(
  Effect.promise(() => picture.png().toBuffer()),
  (bytes) => bytes.toString("base64")
)

/** A service that replies with 429 to the first `times` requests, and then with an image. */
const busy = Effect.fnUntraced(function* (times: number, retryAfter: string) {
  const reply = JSON.stringify({ created: 1, data: [{ b64_json: yield* png }] })
  let left = times
  return yield* service((response) =>
    left-- > 0 ? response.writeHead(429, { "retry-after": retryAfter }).end() : response.end(reply)
  )
})

/**
 * Starts `gradient-images generate x` with these further `args`, and waits until its standard error contains `text`.
 * `rest` waits for the end of the process and returns all of its standard error.
 */
const startUntil = Effect.fnUntraced(function* (
  text: string,
  baseUrl: string,
  cwd: string,
  args: ReadonlyArray<string>
) {
  const running = yield* start(["generate", "x", ...args], { cwd, baseUrl })
  const seen = yield* Deferred.make<void>()
  let said = ""
  const reading = yield* running.stderr.pipe(
    Stream.decodeText,
    Stream.runForEach((part) => {
      said += part
      return said.includes(text) ? Deferred.succeed(seen, undefined) : Effect.void
    }),
    Effect.forkScoped
  )
  yield* Deferred.await(seen)
  const rest = Effect.map(Fiber.join(reading), () => said)
  return { running, rest }
})

describe.concurrent("a retry", () => {
  it.live("is a line that says why, when and as which attempt, without a warning of the library", () =>
    Effect.gen(function* () {
      const cwd = yield* folder
      const { baseUrl } = yield* busy(1, "1")
      const { code, stderr } = yield* run(["generate", "x"], { cwd, baseUrl })
      assert.strictEqual(code, 0)
      assert.deepStrictEqual(stderr.trimEnd().split("\n"), [
        "- Waiting for openai-gpt-image-2",
        "- The service is busy: retrying in 1 s (attempt 2)",
        "- Waiting for openai-gpt-image-2"
      ])
    }).pipe(Effect.scoped)
  )

  it.live("is also logged if a log level is given", () =>
    Effect.gen(function* () {
      const { baseUrl } = yield* busy(1, "0.1")
      const { stderr } = yield* run(["generate", "x", "--log-level", "warn"], { cwd: yield* folder, baseUrl })
      assert.match(stderr, /WARN.*Attempt 1 failed/)
    }).pipe(Effect.scoped)
  )

  it.live.skipIf(!hasTerminal)("counts down on a terminal", () =>
    Effect.gen(function* () {
      const { baseUrl } = yield* busy(1, "2")
      const { code, stdout } = yield* runOnTerminal(80, ["generate", "x"], { cwd: yield* folder, baseUrl })
      assert.strictEqual(code, 0)
      assert.match(stdout, /The service is busy: retrying in 2 s \(attempt 2\)[^]*retrying in 1 s \(attempt 2\)/)
      assert.notInclude(stdout, "WARN")
    }).pipe(Effect.scoped)
  )

  it.live("can be cancelled while it waits, and then nothing is said about charges", () =>
    Effect.gen(function* () {
      const cwd = yield* folder
      const { baseUrl, requests } = yield* busy(1, "50")
      const { rest, running } = yield* startUntil("retrying in 50 s (attempt 2)", baseUrl, cwd, [])
      yield* Effect.forkScoped(running.kill({ killSignal: "SIGINT" }))
      assert.strictEqual(Number(yield* running.exitCode), 130)
      assert.match(yield* rest, /Cancelled\.\n$/)
      assert.strictEqual(requests(), 1)
    }).pipe(Effect.scoped)
  )

  it.live("after an attempt that may have been charged says so when it is cancelled", () =>
    Effect.gen(function* () {
      const cwd = yield* folder
      const { baseUrl } = yield* service((response) => response.writeHead(500, { "retry-after": "50" }).end())
      const { rest, running } = yield* startUntil("The service failed: retrying", baseUrl, cwd, ["--retry", "eager"])
      yield* Effect.forkScoped(running.kill({ killSignal: "SIGINT" }))
      assert.strictEqual(Number(yield* running.exitCode), 130)
      assert.match(yield* rest, /Cancelled\. .*may still charge/)
    }).pipe(Effect.scoped)
  )
})

const partial = Effect.map(
  png,
  (b64_json) =>
    `data: ${JSON.stringify({ type: "image_generation.partial_image", partial_image_index: 0, b64_json })}\n\n`
)

/** A service that sends these events and then nothing more. */
const stalling = (events: string) =>
  service((response: ServerResponse) => response.writeHead(200, { "content-type": "text/event-stream" }).write(events))

describe.concurrent("a signal", () => {
  it.live.each([
    { signal: "SIGINT", exitCode: 130 },
    { signal: "SIGTERM", exitCode: 143 },
    { signal: "SIGHUP", exitCode: 129 }
  ] as const)(
    "$signal keeps the last picture of a stream, and ends the process with $exitCode",
    ({ exitCode, signal }) =>
      Effect.gen(function* () {
        const cwd = yield* folder
        const { baseUrl } = yield* stalling(yield* partial)
        const { rest, running } = yield* startUntil("Image 1 of 1", baseUrl, cwd, ["--partial-images", "1"])
        yield* Effect.forkScoped(running.kill({ killSignal: signal }))
        assert.strictEqual(Number(yield* running.exitCode), exitCode)
        assert.match(yield* rest, /Cancelled\. .*may still charge[^]*Saved an image that had arrived: x-kept\.png/)
        assert.deepStrictEqual(yield* Effect.promise(() => readdir(cwd)), ["x-kept.png"])
        const bytes = yield* Effect.promise(() => readFile(join(cwd, "x-kept.png"), "base64"))
        assert.strictEqual(bytes, yield* png)
      }).pipe(Effect.scoped)
  )
})

describe.concurrent("pictures on a terminal", () => {
  it.live.skipIf(!hasTerminal)("replace each other until the finished one", () =>
    Effect.gen(function* () {
      const cwd = yield* folder
      const args = ["generate", "x", "--emulate", "--size", "64x64", "--partial-images", "2"]
      const { code, stdout } = yield* runOnTerminal(80, args, { cwd })
      assert.strictEqual(code, 0)
      const moves = stdout.split("\u001B[").flatMap((part) => {
        const [, up] = /^(\d+)A\r/.exec(part) ?? []
        return up === undefined ? [] : [Number(up)]
      })
      const rows = stdout.split("\n").filter((line) => line.includes("\u2584")).length
      // Before the second and the third image, the cursor moves up by the rows of an image and the line about it.
      assert.deepStrictEqual(moves, [rows / 3 + 1, rows / 3 + 1])
    }).pipe(Effect.scoped)
  )
})
