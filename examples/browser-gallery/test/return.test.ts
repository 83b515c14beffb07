import { assert, describe, layer } from "@effect/vitest"
import { Emulator, type Fault, Ledger } from "@effect-gradient/emulator"
import { Context, Duration, Effect, Layer } from "effect"
import { type ChildProcess, spawn } from "node:child_process"
import { once } from "node:events"
import { mkdtemp, rm } from "node:fs/promises"
import { tmpdir } from "node:os"
import { join } from "node:path"
import type { Page } from "playwright-core"
import { vi } from "vitest"
import * as Chromium from "../../../packages/browser/test/support/Chromium.ts"
import * as Relay from "./Relay.ts"
import * as Site from "./Site.ts"

// A test starts processes, which takes long on a busy machine.
vi.setConfig({ testTimeout: 120_000 })

const prompt = "A cute baby sea otter"

/** A fault that makes the emulator stop sending for this time, within the second image of a stream. */
const holding = (duration: Duration.Duration): Fault.Fault => ({ _tag: "stall-body", at: 2_000_000, for: duration })

const stop = (server: ChildProcess, signal: "SIGTERM" | "SIGKILL") =>
  Effect.promise(async () => {
    if (server.exitCode !== null || server.signalCode !== null) return
    const exit = once(server, "exit")
    server.kill(signal)
    await exit
  })

/** Starts the gallery's server in its own process, and returns the process and its URL. */
const start = Effect.fnUntraced(function* (env: Record<string, string>) {
  const server = yield* Effect.acquireRelease(
    Effect.sync(() =>
      spawn(process.execPath, [`${import.meta.dirname}/process.ts`], { env, stdio: ["ignore", "pipe", "inherit"] })
    ),
    (started) => stop(started, "SIGKILL")
  )
  const line = yield* Effect.promise(async (): Promise<string> => String(await once(server.stdout, "data")))
  return { server, url: new URL(line.trim()) }
})

/**
 * Opens the gallery, runs `prepare`, requests an image, and waits for its first partial image. `startAnother` starts
 * another server with the same journal and store, which gets all new connections from then on.
 */
const open = Effect.fnUntraced(function* (fault: Fault.Fault, prepare?: (page: Page) => Promise<void>) {
  const data = yield* Effect.acquireRelease(
    Effect.promise(() => mkdtemp(join(tmpdir(), "gallery-"))),
    (folder) => Effect.promise(() => rm(folder, { recursive: true }))
  )
  const emulator = yield* Layer.build(Emulator.layerServer({ port: 0, faults: [fault] }))
  const env = {
    PAGE: yield* Site.Built,
    DATA: data,
    GRADIENT_BASE_URL: yield* Effect.provide(Emulator.baseUrl, emulator),
    GRADIENT_MODEL_ACCESS_KEY: Site.key
  }
  const { server, url } = yield* start(env)
  const front = yield* Relay.make(url.href)
  const startAnother = Effect.map(start(env), (another) => {
    front.target = another.url
  })
  const page = yield* Chromium.openPage({ reducedMotion: "reduce" })
  const errors = Site.errorsOf(page)
  yield* Effect.promise(() => page.addInitScript(Site.listen))
  yield* Effect.promise(() => page.goto(front.url))
  const said = Effect.promise(() => page.evaluate<ReadonlyArray<string>>("said"))
  const entries = Effect.map(Context.get(emulator, Ledger.Ledger).account, (account) => account.entries.length)
  yield* Effect.promise(async () => {
    await prepare?.(page)
    await page.getByRole("radio", { name: "Low" }).check()
    await page.getByRole("radio", { name: "JPEG" }).check()
    await page.getByLabel("Prompt").fill(prompt)
    await page.keyboard.press("Control+Enter")
    await page.getByText("Partial image 1 of 3").waitFor()
  })
  return { page, front, server, startAnother, said, entries, errors }
})

const reach = (page: Page, state: "done" | "failed") =>
  Effect.promise(() => page.locator(`#stage[data-state="${state}"]`).waitFor({ timeout: 30_000 }))

const isShown = (page: Page) =>
  page.getByRole("img", { name: prompt }).evaluate((img: HTMLImageElement) => img.naturalWidth === 1024)

/** Keeps a transaction on the page's IndexedDB open, so that the page has to wait before it can store its image. */
const holdDatabase = (page: Page) =>
  page.evaluate(
    () =>
      new Promise<void>((resolve) => {
        const opening = indexedDB.open("browser-gallery", 1)
        opening.addEventListener("success", () => {
          const store = opening.result.transaction("images", "readwrite").objectStore("images")
          const hold = () => {
            store.count().addEventListener("success", hold)
            resolve()
          }
          hold()
        })
      })
  )

describe.skipIf(!Chromium.isAvailable)("the gallery returns for its image, in Chromium", () => {
  layer(Site.layer, { excludeTestServices: true, timeout: "1 minute" })((it) => {
    it.effect("when the network is cut in the middle of it: it says so, and goes on when it is online again", () =>
      Effect.gen(function* () {
        const { entries, errors, front, page, said } = yield* open(holding(Duration.seconds(3)))
        yield* Effect.promise(async () => {
          await page.context().setOffline(true)
          // When a debugger takes Chromium offline, connections that are open stay open. So the relay breaks them.
          front.cut()
          await page.getByText("The connection broke: reconnecting in 2 s (attempt 3)").waitFor()
          await page.context().setOffline(false)
        })
        yield* reach(page, "done")
        const texts = yield* said
        assert.strictEqual(texts.filter((text) => text.startsWith("Partial image 1 of 3")).length, 1)
        assert.match(texts.at(-1) ?? "", /^Done/)
        assert.isTrue(yield* Effect.promise(() => isShown(page)))
        assert.deepStrictEqual([yield* entries, front.posts], [1, 1])
        assert.deepStrictEqual(Site.unsaid(errors), [])
      })
    )

    it.effect("after a reload, which also keeps the finished image", () =>
      Effect.gen(function* () {
        const { entries, errors, front, page } = yield* open(holding(Duration.seconds(3)))
        yield* Effect.promise(() => page.reload())
        yield* reach(page, "done")
        assert.isTrue(yield* Effect.promise(() => isShown(page)))
        yield* Effect.promise(async () => {
          await page.reload()
          await page.getByRole("listitem").getByRole("img", { name: prompt }).waitFor()
        })
        assert.deepStrictEqual([yield* entries, front.posts], [1, 1])
        assert.deepStrictEqual(Site.unsaid(errors), [])
      })
    )

    it.effect("after a reload between its arrival and its storage in the browser", () =>
      Effect.gen(function* () {
        const { entries, errors, front, page } = yield* open(holding(Duration.seconds(3)), holdDatabase)
        yield* Effect.promise(async () => {
          await page.getByText(/^Done/).waitFor()
          assert.strictEqual(await page.locator("#stage").getAttribute("data-state"), "drawing")
          await page.reload()
        })
        yield* reach(page, "done")
        assert.isTrue(yield* Effect.promise(() => isShown(page)))
        assert.strictEqual(yield* Effect.promise(() => page.evaluate<number>("sessionStorage.length")), 0)
        assert.deepStrictEqual([yield* entries, front.posts], [1, 1])
        assert.deepStrictEqual(Site.unsaid(errors), [])
      })
    )

    it.effect("when its gateway is restarted and another one takes over", () =>
      Effect.gen(function* () {
        const { entries, errors, front, page, server, startAnother } = yield* open(holding(Duration.seconds(3)))
        yield* startAnother
        yield* stop(server, "SIGTERM")
        yield* reach(page, "done")
        assert.isTrue(yield* Effect.promise(() => isShown(page)))
        assert.deepStrictEqual([yield* entries, front.posts], [1, 1])
        assert.deepStrictEqual(Site.unsaid(errors), [])
      })
    )

    it.effect("when the gateway at work is killed: it says that the image is in doubt, and does not pay again", () =>
      Effect.gen(function* () {
        const { entries, errors, front, page, server, startAnother } = yield* open(holding(Duration.minutes(10)))
        yield* startAnother
        yield* stop(server, "SIGKILL")
        yield* reach(page, "failed")
        yield* Effect.promise(async () => {
          assert.strictEqual(await page.locator("#failure").innerText(), "In doubt")
          assert.include(await page.getByRole("status").innerText(), "charged for")
          assert.isFalse(await page.getByRole("button", { name: "Try again" }).isVisible())
        })
        assert.isAtMost(yield* entries, 1)
        assert.strictEqual(front.posts, 1)
        assert.deepStrictEqual(Site.unsaid(errors), [])
      })
    )
  })
})
