import { assert, describe, it } from "@effect/vitest"
import { Effect } from "effect"
import { Emulator, Ledger } from "@effect-gradient/emulator"
import { type ChildProcess, spawn } from "node:child_process"
import { once } from "node:events"
import { createInterface } from "node:readline"

/** Ends it, and gives its exit code. */
const end = (gallery: ChildProcess) =>
  Effect.promise(async () => {
    if (gallery.exitCode === null) {
      const exit = once(gallery, "exit")
      gallery.kill("SIGTERM")
      await exit
    }
    return gallery.exitCode
  })

/** `pnpm gallery` with these variables, and no others. */
const start = (env: Record<string, string>) =>
  Effect.acquireRelease(
    Effect.sync(() => spawn(process.execPath, [`${import.meta.dirname}/../start.ts`], { env })),
    end
  )

/** What it prints, up to its address. */
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

const generate = (address: string) =>
  Effect.promise((signal) =>
    fetch(`${address}/v1/images/generations`, {
      signal,
      method: "POST",
      headers: { "content-type": "application/json" },
      body: JSON.stringify({ prompt: "fog", quality: "low", output_format: "jpeg", stream: true })
    })
  )

describe("pnpm gallery", () => {
  it.live("serves the page and draws by the emulator, without a key, until it is stopped", () =>
    Effect.gen(function* () {
      const gallery = yield* start({})
      const { address, note } = yield* printed(gallery)
      assert.include(note, "The emulator draws.")
      const page = yield* Effect.promise(() => fetch(address))
      assert.include(yield* Effect.promise(() => page.text()), "The emulator draws. Nothing is charged for.")
      const reply = yield* generate(address)
      assert.strictEqual(reply.headers.get("content-type"), "text/event-stream")
      // A reply that is on its way does not keep it from ending.
      assert.strictEqual(yield* end(gallery), 0)
    })
  )

  it.live("draws by the real service where there is a key, and says that it costs", () =>
    Effect.gen(function* () {
      const service = { baseUrl: yield* Emulator.baseUrl, ledger: yield* Ledger.Ledger }
      const gallery = yield* start({ GRADIENT_MODEL_ACCESS_KEY: "sk-do-x", GRADIENT_BASE_URL: service.baseUrl })
      const { address, note } = yield* printed(gallery)
      assert.include(note, "Each picture is charged for.")
      const reply = yield* generate(address)
      assert.include(yield* Effect.promise(() => reply.text()), "image_generation.completed")
      assert.strictEqual((yield* service.ledger.account).entries.length, 1)
    }).pipe(Effect.provide(Emulator.layerServer({ port: 0 })))
  )
})
