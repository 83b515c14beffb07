import { assert, describe, layer } from "@effect/vitest"
import { Effect } from "effect"
import type { Page } from "playwright-core"
import * as Chromium from "./support/Chromium.ts"
import * as Site from "./support/Site.ts"

/** Opens the test page and runs this function in it. */
const inPage = <A>(run: () => Promise<A>) =>
  Effect.flatMap(Site.open, (page: Page) => Effect.promise(() => page.evaluate(run)))

const saidOfFour = [
  "Waiting for the first image",
  "Partial image 1 of 3: 96 by 64 pixels, and getting sharper",
  "Partial image 2 of 3: 96 by 64 pixels, and getting sharper",
  "Partial image 3 of 3: 96 by 64 pixels, and getting sharper",
  "Done: 96 by 64 pixels, 0.0 MB"
]

describe.skipIf(!Chromium.isAvailable)("in Chromium", () => {
  layer(Site.layer, { excludeTestServices: true, timeout: "1 minute" })((it) => {
    describe("ImageView.run", () => {
      it.effect("shows each image in an img, which is never empty after the first", () =>
        Effect.gen(function* () {
          const { said, seen } = yield* inPage(async () => {
            const params = { prompt: "a harbour", size: "1024x768", outputFormat: "jpeg", partialImages: 3 }
            await testPage.generate("img", params).ended()
            return { said: testPage.said, seen: testPage.seen }
          })
          assert.strictEqual(said.length, 5)
          assert.deepStrictEqual(seen, ["complete 1024x768 alpha 255"])
        })
      )

      it.effect("paints each image on a canvas of the image's size", () =>
        Effect.gen(function* () {
          const result = yield* inPage(async () => {
            const params = { prompt: "a harbour", size: "96x64", partialImages: 3 }
            await testPage.generate("canvas", params).ended()
            await testPage.generate("img", params).ended()
            return {
              said: testPage.said.slice(0, 5),
              canvas: testPage.colourOf("canvas"),
              img: testPage.colourOf("img")
            }
          })
          assert.deepStrictEqual(result.said, saidOfFour)
          assert.match(result.img, /^96x64 \d+ \d+ \d+ 255$/)
          assert.strictEqual(result.canvas, result.img)
        })
      )

      it.effect("paints a transparent image on a canvas without the image before it", () =>
        Effect.gen(function* () {
          const result = yield* inPage(async () => {
            const params = { prompt: "a sea otter", size: "96x64" }
            await testPage.generate("canvas", params).ended()
            const transparent = { ...params, background: "transparent", outputFormat: "png" }
            await testPage.generate("canvas", transparent).ended()
            await testPage.generate("img", transparent).ended()
            return { canvas: testPage.cornerOf("canvas"), img: testPage.cornerOf("img") }
          })
          assert.match(result.img, / 0$/)
          assert.strictEqual(result.canvas, result.img)
        })
      )

      it.effect("announces the progress to screen readers, and sets aria-busy", () =>
        Effect.gen(function* () {
          const result = yield* inPage(async () => {
            const view = testPage.generate("img", { prompt: "fog", size: "96x64" })
            const during = testPage.isBusy("img")
            await view.ended()
            return { during, after: testPage.isBusy("img"), role: document.getElementById("status")?.role }
          })
          assert.deepStrictEqual(result, { during: "true", after: "false", role: "status" })
        })
      )

      it.effect("does not show an image that cannot be decoded, but returns it", () =>
        Effect.gen(function* () {
          for (const target of ["img", "canvas"] as const) {
            const page = yield* Site.open
            const result = yield* Effect.promise(() =>
              page.evaluate(async (id) => {
                const ended = await testPage.showBroken(id).ended()
                return { ended, said: testPage.said.at(-1), colour: testPage.colourOf(id) }
              }, target)
            )
            assert.strictEqual(result.ended, "100 bytes")
            assert.strictEqual(result.said, "Done: the image cannot be shown here, 0.0 MB")
            assert.match(result.colour, /^8x8 .* 255$/)
          }
        })
      )

      it.effect("shows that it was cancelled, and clears aria-busy", () =>
        Effect.gen(function* () {
          const result = yield* inPage(async () => {
            const view = testPage.generate("img", { prompt: "fog", size: "3840x2160" })
            await view.cancel()
            return [testPage.said.at(-1), testPage.isBusy("img")]
          })
          assert.deepStrictEqual(result, ["Cancelled", "false"])
        })
      )

      it.effect("shows the error", () =>
        Effect.gen(function* () {
          const result = yield* inPage(async () => {
            const message = await testPage.generate("img", { prompt: "" }).ended()
            return { message, said: testPage.said.at(-1) }
          })
          assert.include(result.message, "prompt")
          assert.strictEqual(result.said, result.message)
        })
      )

      it.effect("keeps only the URL of the shown image until its scope closes", () =>
        Effect.gen(function* () {
          const result = yield* inPage(async () => {
            const sources: Array<string> = []
            const noteSource = () => sources.push(testPage.source())
            const img = document.getElementById("img")
            if (img === null) throw new TypeError("no img")
            new MutationObserver(noteSource).observe(img, { attributeFilter: ["src"] })
            const view = testPage.generate("img", { prompt: "fog", size: "96x64", partialImages: 3 })
            await view.ended()
            const alive = await Promise.all(sources.map(testPage.isLive))
            await view.close()
            const after = await Promise.all(sources.map(testPage.isLive))
            return { alive, after, colour: testPage.colourOf("img") }
          })
          assert.deepStrictEqual(result.alive, [false, false, false, true])
          assert.deepStrictEqual(result.after, [false, false, false, false])
          assert.match(result.colour, /^96x64 .* 255$/)
        })
      )
    })

    describe("ImageView.onRetry", () => {
      it.effect("shows why and when the call is retried, then that it waits for the first image", () =>
        Effect.gen(function* () {
          const said = yield* inPage(async () => {
            const headers = { "x-emulator-fault": "status=503;retry-after=1" }
            await testPage.generate("img", { prompt: "fog", size: "96x64" }, { headers }).ended()
            return testPage.said
          })
          assert.deepStrictEqual(said.slice(0, -1), [
            "Waiting for the first image",
            "The service is busy: retrying in 1 s (attempt 2)",
            "Waiting for the first image",
            "The service is busy: retrying in 1 s (attempt 3)",
            "Waiting for the first image"
          ])
        })
      )

      it.effect("stops when the call ends", () =>
        Effect.gen(function* () {
          const said = yield* inPage(async () => {
            const headers = { "x-emulator-fault": "status=429;retry-after=1" }
            const view = testPage.generate("img", { prompt: "fog", size: "96x64" }, { headers })
            while (testPage.said.length < 2) await new Promise((resolve) => setTimeout(resolve, 20))
            await view.cancel()
            await new Promise((resolve) => setTimeout(resolve, 1500))
            return testPage.said
          })
          assert.deepStrictEqual(said.slice(1), ["The service is busy: retrying in 1 s (attempt 2)", "Cancelled"])
        })
      )
    })

    describe("ImageUrl.make", () => {
      it.effect("makes a URL of the bytes with their type, and revokes it with its scope", () =>
        Effect.gen(function* () {
          assert.deepStrictEqual(yield* inPage(() => testPage.fetchUrl()), ["image/png 74", false])
        })
      )
    })

    describe("a Web Worker", () => {
      it.effect("generates over fetch, and paints on an OffscreenCanvas", () =>
        Effect.gen(function* () {
          const page = yield* Site.open
          const said = yield* Effect.promise(() =>
            page.evaluate(() => testPage.drawInWorker({ prompt: "a harbour", size: "96x64" }))
          )
          assert.match(String(said), /^\d+ bytes, 96x64$/)
          // What the worker has drawn appears in the page only with one of the next frames.
          yield* Effect.promise(() => page.waitForFunction(() => /^96x64 .* 255$/.test(testPage.colourOf("offscreen"))))
        })
      )
    })
  })
})
