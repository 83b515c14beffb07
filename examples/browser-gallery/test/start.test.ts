import { assert, describe, it } from "@effect/vitest"
import { Effect } from "effect"
import { Emulator, Ledger } from "@effect-gradient/emulator"
import { type ChildProcess, spawn } from "node:child_process"
import { once } from "node:events"
import { mkdtemp, rm } from "node:fs/promises"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { createInterface } from "node:readline"
import { vi } from "vitest"

// A test starts processes, which takes long on a busy machine.
vi.setConfig({ testTimeout: 120_000 })

/** Ends the gallery's process, and returns its exit code. */
const end = (gallery: ChildProcess) =>
  Effect.promise(async () => {
    if (gallery.exitCode === null) {
      const exit = once(gallery, "exit")
      gallery.kill("SIGTERM")
      await exit
    }
    return gallery.exitCode
  })

/** A temporary folder for the journal and the images of the gallery. */
const data = Effect.acquireRelease(
  Effect.promise(() => mkdtemp(join(tmpdir(), "gallery-"))),
  (folder) => Effect.promise(() => rm(folder, { recursive: true }))
)

/** Starts the gallery with this folder as `GALLERY_DATA`, and with no environment variables except that and `env`. */
const start = (folder: string, env: Record<string, string> = {}) =>
  Effect.acquireRelease(
    Effect.sync(() =>
      spawn(process.execPath, [`${import.meta.dirname}/../start.ts`], { env: { GALLERY_DATA: folder, ...env } })
    ),
    end
  )

/** Reads what the gallery prints until it prints its address. Returns the address, and everything printed so far. */
const printed = (gallery: ChildProcess) =>
  Effect.promise(async () => {
    const lines: Array<string> = []
    if (gallery.stdout === null) throw new TypeError("no output")
    for await (const line of createInterface(gallery.stdout)) {
      lines.push(line)
      const address = /^Open (http:\S+)/.exec(line)?.[1]
      if (address !== undefined) return { address, note: lines.join("\n") }
    }
    throw new Error(`It ended: ${lines.join("\n")}`)
  })

const id = "0123456789abcdef0123456789abcdef"

const generate = (address: string) =>
  Effect.promise((signal) =>
    fetch(`${address}/v1/images/generations`, {
      signal,
      method: "POST",
      headers: { "content-type": "application/json", "x-attempt-id": id },
      body: JSON.stringify({ prompt: "fog", quality: "low", output_format: "jpeg", stream: true })
    })
  )

describe("pnpm gallery", () => {
  it.live("serves the page and draws by the emulator, without a key, until it is stopped", () =>
    Effect.gen(function* () {
      const gallery = yield* start(yield* data)
      const { address, note } = yield* printed(gallery)
      assert.include(note, "The emulator draws.")
      const page = yield* Effect.promise(() => fetch(address))
      assert.include(yield* Effect.promise(() => page.text()), "The emulator draws. Nothing is charged for.")
      const reply = yield* generate(address)
      assert.strictEqual(reply.headers.get("content-type"), "text/event-stream")
      // The gallery ends although it is still sending a reply.
      assert.strictEqual(yield* end(gallery), 0)
    })
  )

  it.live("has the image that was asked for before it was stopped and started again", () =>
    Effect.gen(function* () {
      const folder = yield* data
      const first = yield* start(folder)
      yield* generate((yield* printed(first)).address)
      assert.strictEqual(yield* end(first), 0)
      const { address } = yield* printed(yield* start(folder))
      const reply = yield* Effect.promise(() => fetch(`${address}/v1/images/generations/${id}`))
      assert.strictEqual(reply.status, 200)
      assert.match(yield* Effect.promise(() => reply.text()), /"b64_json":"[^"]{1000}/)
    })
  )

  it.live("draws by the real service where there is a key, and says that it costs", () =>
    Effect.gen(function* () {
      const service = { baseUrl: yield* Emulator.baseUrl, ledger: yield* Ledger.Ledger }
      const gallery = yield* start(yield* data, {
        GRADIENT_MODEL_ACCESS_KEY: "sk-do-x",
        GRADIENT_BASE_URL: service.baseUrl
      })
      const { address, note } = yield* printed(gallery)
      assert.include(note, "Each image is charged for.")
      const reply = yield* generate(address)
      assert.include(yield* Effect.promise(() => reply.text()), "image_generation.completed")
      assert.strictEqual((yield* service.ledger.account).entries.length, 1)
    }).pipe(Effect.provide(Emulator.layerServer({ port: 0 })))
  )
})
