import { assert, describe, layer } from "@effect/vitest"
import type { Fault } from "@effect-gradient/emulator"
import { Duration, Effect } from "effect"
import type { Page } from "playwright-core"
import { vi } from "vitest"
import * as Chromium from "../../../packages/browser/test/support/Chromium.ts"
import * as ComingBack from "./ComingBack.ts"
import * as Site from "./Site.ts"

// A test runs a page in Chromium, which takes long on a busy machine.
vi.setConfig({ testTimeout: 120_000 })

/** A fault that makes the emulator stop sending for 3 seconds, within the second image of a stream. */
const holding: Fault.Fault = { _tag: "stall-body", at: 2_000_000, for: Duration.seconds(3) }

const click = (page: Page, name: string) => page.getByRole("button", { name }).click()

const isShown = (page: Page) => page.locator("#image").evaluate((img: HTMLImageElement) => img.naturalWidth > 0)

describe.skipIf(!Chromium.isAvailable)("the recipes of docs/in-a-page.md, in Chromium", () => {
  layer(ComingBack.layer, { excludeTestServices: true, timeout: "1 minute" })((it) => {
    it.effect("showReconnecting says when the connection broke, and the image arrives", () =>
      Effect.gen(function* () {
        const { errors, front, ledger, page, said } = yield* Site.open({ faults: [holding] })
        yield* Effect.promise(async () => {
          await click(page, "Generate")
          await page.getByText("PartialImage").waitFor()
          front.cut()
          await page.getByText("Completed").waitFor()
        })
        assert.include(yield* said, "The connection broke: reconnecting (attempt 1)")
        assert.strictEqual((yield* ledger.account).entries.length, 1)
        assert.deepStrictEqual(Site.unsaid(errors), [])
      })
    )

    it.effect("resume shows the image that was asked for before a reload", () =>
      Effect.gen(function* () {
        const { errors, front, ledger, page } = yield* Site.open({ faults: [holding] })
        yield* Effect.promise(async () => {
          await click(page, "Draw")
          await page.getByText("Partial image 1 of 3").waitFor()
          await page.reload()
          await page.getByText(/^Done/).waitFor()
          assert.isTrue(await isShown(page))
          await page.reload()
          assert.strictEqual(await page.evaluate("sessionStorage.length"), 0)
        })
        assert.deepStrictEqual([front.posts, (yield* ledger.account).entries.length], [1, 1])
        assert.deepStrictEqual(Site.unsaid(errors), [])
      })
    )

    it.effect("resume continues after a request whose image cannot be had", () =>
      Effect.gen(function* () {
        const { front, ledger, page } = yield* Site.open({ faults: [holding] })
        yield* Effect.promise(async () => {
          await click(page, "Draw")
          await page.getByText("Image 1 of 3").waitFor()
          await page.evaluate(() => {
            const key = sessionStorage.key(0) ?? ""
            const text = sessionStorage.getItem(key) ?? ""
            const id = "0".repeat(32)
            const known = key.replace(/^.*\//, "")
            const older = text.replace(known, id).replace(/"sentAt":\d+/, '"sentAt":1')
            sessionStorage.setItem(key.replace(known, id), older)
          })
          await page.reload()
          await page.getByText(/^Done/).waitFor()
          assert.isTrue(await isShown(page))
        })
        assert.deepStrictEqual([front.posts, (yield* ledger.account).entries.length], [1, 1])
      })
    )

    it.effect("generateAndStore stores an image, or leaves its request pending", () =>
      Effect.gen(function* () {
        const { errors, front, ledger, page } = yield* Site.open()
        yield* Effect.promise(async () => {
          await page.evaluate(() => {
            Cache.prototype.put = () => {
              document.documentElement.dataset["storing"] = ""
              return new Promise(() => {})
            }
          })
          await click(page, "Store")
          await page.locator("[data-storing]").waitFor({ state: "attached" })
          await page.reload()
          await page.getByText(/^Done/).waitFor()
          assert.isTrue(await isShown(page))
          assert.strictEqual(front.posts, 1)
          await click(page, "Store")
          await page.getByText("It is stored.").waitFor()
          const stored = await page.evaluate(async () => {
            const found = await caches.match("/images/A%20cute%20baby%20sea%20otter")
            return { type: found?.headers.get("content-type"), pending: sessionStorage.length }
          })
          assert.deepStrictEqual(stored, { type: "image/png", pending: 0 })
        })
        assert.deepStrictEqual([front.posts, (yield* ledger.account).entries.length], [2, 2])
        assert.deepStrictEqual(Site.unsaid(errors), [])
      })
    )

    it.effect("inWords says that an image is in doubt, and nothing is sent again", () =>
      Effect.gen(function* () {
        const { errors, front, page, said } = yield* Site.open({ faults: [{ _tag: "reset-body", at: 2_000_000 }] })
        yield* Effect.promise(async () => {
          await click(page, "Draw")
          await page.getByText("Nobody knows whether this image was made.").waitFor()
        })
        assert.match((yield* said).at(-1) ?? "", /may have been charged for/)
        assert.strictEqual(front.posts, 1)
        assert.deepStrictEqual(Site.unsaid(errors), [])
      })
    )
  })
})
