import { assert, describe, layer } from "@effect/vitest"
import type { Fault } from "@effect-gradient/emulator"
import type { AxeResults } from "axe-core"
import { Duration, Effect } from "effect"
import { readFile } from "node:fs/promises"
import * as Http from "node:http"
import { fileURLToPath } from "node:url"
import type { BrowserContextOptions, Locator, Page } from "playwright-core"
import * as Chromium from "../../../packages/browser/test/support/Chromium.ts"
import * as Site from "./Site.ts"

const prompt = "A cute baby sea otter"

/** Opens the options if they are folded, as they are on a phone. */
const openOptions = async (page: Page) => {
  const folded = page.locator("#options:not([open]) > summary")
  if (await folded.isVisible()) await folded.click()
}

/**
 * Fills in the form, and submits it with the keyboard. It requests a JPEG of low quality, because the emulator draws
 * that fast.
 */
const ask = (page: Page) =>
  Effect.promise(async () => {
    await openOptions(page)
    await page.getByRole("radio", { name: "Low" }).check()
    await page.getByRole("radio", { name: "JPEG" }).check()
    await page.getByLabel("Prompt").fill(prompt)
    await page.keyboard.press("Control+Enter")
  })

/** Waits until the stage is in this state. */
const reach = (page: Page, state: "drawing" | "done" | "cancelled" | "failed") =>
  Effect.promise(() => page.locator(`#stage[data-state="${state}"]`).waitFor())

const statusOf = (page: Page) => Effect.promise(() => page.getByRole("status").innerText())

/** Whether the whole element is within the visible part of the page. */
const isInView = (part: Locator) =>
  part.evaluate((element) => {
    const { bottom, left, right, top } = element.getBoundingClientRect()
    return top >= 0 && left >= 0 && bottom <= innerHeight && right <= innerWidth
  })

const retry = (page: Page) => page.getByRole("button", { name: "Try again" })

const phone: BrowserContextOptions = { viewport: { width: 390, height: 740 }, hasTouch: true, isMobile: true }

/** A fault that makes the emulator stop sending within the second image of a stream, for longer than a test takes. */
const held: Fault.Fault = { _tag: "stall-body", at: 2_000_000, for: Duration.minutes(10) }

const refusal = { _tag: "status", form: "openai" } as const

/**
 * Requests an image while the emulator has this fault, waits until the page shows a failure, and returns what the page
 * shows.
 */
const failing = Effect.fnUntraced(function* (fault: Fault.Fault) {
  const site = yield* Site.open({ faults: [fault] })
  yield* ask(site.page)
  yield* reach(site.page, "failed")
  assert.deepStrictEqual(Site.unsaid(site.errors), [])
  return {
    ...site,
    words: yield* statusOf(site.page),
    canRetry: yield* Effect.promise(() => retry(site.page).isVisible())
  }
})

/**
 * Posts a request for an image with these headers, and returns the status of the reply. It does not use fetch, which
 * does not let a program set the header `host`.
 */
const post = (url: string, headers: Http.OutgoingHttpHeaders) =>
  new Promise<number | undefined>((resolve, reject) => {
    Http.request(url, { method: "POST", headers: { "content-type": "application/json", ...headers } }, (reply) => {
      reply.resume()
      resolve(reply.statusCode)
    })
      .on("error", reject)
      .end(JSON.stringify({ prompt }))
  })

const axeFile = fileURLToPath(import.meta.resolve("axe-core/axe.min.js"))

/** The accessibility faults of the page that axe calls serious or critical. */
const violations = (page: Page) =>
  Effect.promise(async () => {
    const { violations: found } = await page.evaluate<AxeResults>("axe.run()")
    return found
      .filter(({ impact }) => impact === "serious" || impact === "critical")
      .map(({ id, nodes }) => `${id}: ${nodes.map(({ html }) => html).join(" ")}`)
  })

describe.skipIf(!Chromium.isAvailable)("the gallery, in Chromium", () => {
  layer(Site.layer, { excludeTestServices: true, timeout: "1 minute" })((it) => {
    it.effect("shows an image sharpening, step by step", () =>
      Effect.gen(function* () {
        const { errors, ledger, page, said } = yield* Site.open()
        yield* ask(page)
        yield* reach(page, "done")
        assert.deepStrictEqual(yield* said, [
          "Waiting for the first image",
          "Partial image 1 of 3: 1024 by 1024 pixels, and getting sharper",
          "Partial image 2 of 3: 1024 by 1024 pixels, and getting sharper",
          "Partial image 3 of 3: 1024 by 1024 pixels, and getting sharper",
          "Done: 1024 by 1024 pixels, 0.5 MB"
        ])
        assert.strictEqual((yield* ledger.account).entries.length, 1)
        assert.deepStrictEqual(errors, [])
      })
    )

    it.effect("shows a finished image once, and keeps it in the list when the next one begins", () =>
      Effect.gen(function* () {
        const { errors, page } = yield* Site.open({ images: "plain" })
        yield* ask(page)
        yield* reach(page, "done")
        yield* Effect.promise(async () => {
          const shown = page.getByRole("img", { name: prompt })
          assert.strictEqual(await shown.count(), 1)
          assert.strictEqual(await page.getByRole("listitem").count(), 0)
          await page.getByLabel("Prompt").fill("Another")
          await page.getByRole("button", { name: "Generate" }).click()
          await page.getByRole("listitem").getByRole("img", { name: prompt }).waitFor()
          assert.strictEqual(await shown.count(), 1)
          assert.isTrue(await shown.evaluate((img: HTMLImageElement) => img.complete && img.naturalWidth === 1024))
        })
        yield* reach(page, "done")
        assert.strictEqual(yield* Effect.promise(() => page.getByRole("listitem").count()), 1)
        assert.deepStrictEqual(errors, [])
      })
    )

    it.effect("has the facts of a finished image, its download, and a way to start from it", () =>
      Effect.gen(function* () {
        const { errors, page } = yield* Site.open({ images: "plain" })
        yield* ask(page)
        yield* reach(page, "done")
        const entry = page.getByRole("region", { name: "Image", exact: true })
        yield* Effect.promise(async () => {
          assert.match(
            await entry.innerText(),
            /\nA cute baby sea otter\s+\d+\stokens · \d+\.\d\ss · 1024\s×\s1024\sJPG/
          )
          const [download] = await Promise.all([
            page.waitForEvent("download"),
            entry.getByRole("link", { name: "Download" }).click()
          ])
          assert.strictEqual(download.suggestedFilename(), "a-cute-baby-sea-otter.jpg")
          assert.isNull(await download.failure())
          await page.getByLabel("Prompt").fill("Another")
          await page.getByRole("radio", { name: "PNG" }).check()
          await entry.getByRole("button", { name: "Use these settings" }).click()
          assert.strictEqual(await page.getByLabel("Prompt").inputValue(), prompt)
          assert.isTrue(await page.getByRole("radio", { name: "JPEG" }).isChecked())
          assert.isTrue(await page.getByLabel("Prompt").evaluate((field) => field === document.activeElement))
        })
        assert.deepStrictEqual(errors, [])
      })
    )

    it.effect("does not let a JPEG be transparent", () =>
      Effect.gen(function* () {
        const { page } = yield* Site.open()
        yield* Effect.promise(async () => {
          await page.getByRole("radio", { name: "Transparent" }).check()
          assert.isTrue(await page.getByRole("radio", { name: "JPEG" }).isDisabled())
        })
      })
    )

    it.effect("asks for a description if the prompt is blank", () =>
      Effect.gen(function* () {
        const { front, page } = yield* Site.open()
        yield* Effect.promise(async () => {
          await page.getByLabel("Prompt").fill(" \n ")
          await page.getByRole("button", { name: "Generate" }).click()
          const field = page.getByLabel("Prompt")
          assert.strictEqual(
            await field.evaluate((area: HTMLTextAreaElement) => area.validationMessage),
            "Describe an image."
          )
          assert.isTrue(await field.evaluate((area) => area === document.activeElement))
        })
        assert.strictEqual(front.posts, 0)
      })
    )

    it.effect("says that it is retried, when and for which time, and waits for that attempt then", () =>
      Effect.gen(function* () {
        const { ledger, page, said } = yield* Site.open({
          images: "plain",
          faults: [{ ...refusal, status: 429, retryAfter: 1, times: 2 }]
        })
        yield* ask(page)
        yield* reach(page, "done")
        assert.deepStrictEqual((yield* said).slice(0, 6), [
          "Waiting for the first image",
          "The service is busy: retrying in 1 s (attempt 2)",
          "Waiting for the first image",
          "The service is busy: retrying in 1 s (attempt 3)",
          "Waiting for the first image",
          "Partial image 1 of 3: 1024 by 1024 pixels, and getting sharper"
        ])
        assert.strictEqual((yield* ledger.account).entries.length, 1)
      })
    )

    it.effect("cancels while it waits to retry: nothing more is sent", () =>
      Effect.gen(function* () {
        const { front, ledger, page, said } = yield* Site.open({
          faults: [{ ...refusal, status: 503, retryAfter: 1, times: 3 }]
        })
        yield* ask(page)
        yield* Effect.promise(async () => {
          await page.getByText("The service is busy: retrying in 1 s (attempt 2)").waitFor()
          await page.getByRole("button", { name: "Cancel" }).click()
        })
        yield* reach(page, "cancelled")
        yield* Effect.sleep("1500 millis")
        assert.strictEqual((yield* said).at(-1), "Cancelled")
        assert.strictEqual(front.posts, 1)
        assert.deepStrictEqual((yield* ledger.account).entries, [])
      })
    )

    it.effect("cancels with Escape: the gateway is hung up on, and finishes what is paid for", () =>
      Effect.gen(function* () {
        const { back, errors, front, page, said } = yield* Site.open({ faults: [held] })
        yield* ask(page)
        yield* Effect.promise(() => page.getByText("Partial image 1 of 3").waitFor())
        yield* Effect.promise(() => page.keyboard.press("Escape"))
        yield* reach(page, "cancelled")
        yield* Site.until(() =>
          front.connections.some(
            ({ hungUpBy, requests }) => hungUpBy === "client" && requests.some((text) => text.startsWith("POST "))
          )
        )
        assert.strictEqual(back.connections.length, 1)
        assert.isUndefined(back.connections[0]?.hungUpBy)
        assert.strictEqual((yield* said).at(-1), "Cancelled")
        assert.deepStrictEqual(errors, [])
      })
    )

    it.effect("cancels with the button, which does not take the focus with it, and draws again", () =>
      Effect.gen(function* () {
        const { errors, page } = yield* Site.open({ faults: [{ ...held, times: 1 }] })
        yield* ask(page)
        yield* Effect.promise(() => page.getByRole("button", { name: "Cancel" }).click())
        yield* reach(page, "cancelled")
        yield* Effect.promise(async () => {
          const generate = page.getByRole("button", { name: "Generate" })
          assert.isTrue(await generate.evaluate((button) => button === document.activeElement))
          await page.keyboard.press("Enter")
          await page.getByText(/^(Partial image \d of 3|Done)/).waitFor()
        })
        assert.deepStrictEqual(errors, [])
      })
    )

    it.effect("says that moderation refused, and offers no retry", () =>
      Effect.gen(function* () {
        const { canRetry, words } = yield* failing({ ...refusal, status: 400, code: "moderation_blocked" })
        assert.strictEqual(words, "Moderation refused the prompt. Change it and try again.")
        assert.isFalse(canRetry)
      })
    )

    it.effect("says that there were too many requests, and tries again when asked to", () =>
      Effect.gen(function* () {
        const { canRetry, ledger, page, words } = yield* failing({ ...refusal, status: 429, retryAfter: 0, times: 3 })
        assert.strictEqual(words, "A limit of images or requests is reached. Try again.")
        assert.isTrue(canRetry)
        yield* Effect.promise(async () => {
          await retry(page).click()
          await page.getByText(/^(Partial image \d of 3|Done)/).waitFor()
        })
        assert.strictEqual((yield* ledger.account).entries.length, 1)
      })
    )

    it.effect("says that the stream was cut, keeps what came, and offers no retry, which could cost", () =>
      Effect.gen(function* () {
        const { canRetry, page, words } = yield* failing({ _tag: "reset-body", at: 2_000_000 })
        assert.strictEqual(
          words,
          "This request may already have been charged for, so it is not sent again. " +
            "Ask the operator before you generate it again, or you may pay twice."
        )
        assert.isFalse(canRetry)
        const width = yield* Effect.promise(() =>
          page.getByRole("img", { name: prompt }).evaluate((img: HTMLImageElement) => img.naturalWidth)
        )
        assert.strictEqual(width, 1024)
      })
    )

    it.effect("says that an image may have been charged for, and what to do, if the gateway has lost its journal", () =>
      Effect.gen(function* () {
        const { errors, front, loseJournal, page } = yield* Site.open({ faults: [held] })
        yield* ask(page)
        yield* Effect.promise(() => page.getByText("Partial image 1 of 3").waitFor())
        yield* loseJournal
        yield* reach(page, "failed")
        assert.strictEqual(yield* Effect.promise(() => page.locator("#failure").innerText()), "Perhaps paid")
        assert.strictEqual(
          yield* statusOf(page),
          "The connection broke. The image may have been charged for. " +
            "Ask the operator before you generate it again, or you may pay twice."
        )
        assert.isFalse(yield* Effect.promise(() => retry(page).isVisible()))
        assert.strictEqual(front.posts, 1)
        assert.deepStrictEqual(Site.unsaid(errors), [])
      })
    )

    it.effect("says that it reconnects while the gateway is down, and can be cancelled", () =>
      Effect.gen(function* () {
        const { errors, front, page } = yield* Site.open()
        front.end()
        yield* ask(page)
        yield* Effect.promise(() => page.getByText("The connection broke: reconnecting").waitFor())
        yield* Effect.promise(() => page.getByRole("button", { name: "Cancel" }).click())
        yield* reach(page, "cancelled")
        assert.deepStrictEqual(Site.unsaid(errors), [])
      })
    )

    it.effect("pays once when the connection closes before the headers, though Chromium sends again by itself", () =>
      Effect.gen(function* () {
        const { errors, front, ledger, page } = yield* Site.open({ images: "plain" })
        front.dropNextReply = true
        yield* ask(page)
        yield* reach(page, "done")
        assert.strictEqual(front.posts, 2)
        assert.strictEqual((yield* ledger.account).entries.length, 1)
        assert.deepStrictEqual(Site.unsaid(errors), [])
      })
    )

    it.effect("lets no key into the page: not in a reply, a script or storage", () =>
      Effect.gen(function* () {
        const { back, front, page } = yield* Site.open()
        yield* ask(page)
        yield* reach(page, "done")
        assert.include(back.connections.flatMap(({ requests }) => requests).join(""), Site.key)
        assert.include(front.replies, "content-security-policy: default-src 'self'")
        assert.notInclude(front.replies, Site.key)
        const stored = yield* Effect.promise(async () => ({
          state: JSON.stringify(await page.context().storageState({ indexedDB: true })),
          session: await page.evaluate("sessionStorage.length")
        }))
        assert.include(stored.state, prompt)
        assert.notInclude(stored.state, Site.key)
        assert.strictEqual(stored.session, 0)
      })
    )

    it.effect("does not draw for another site's page, whose name may lead here", () =>
      Effect.gen(function* () {
        const { front } = yield* Site.open()
        const statuses = yield* Effect.forEach(
          [{ host: "evil.example:80" }, { origin: "http://evil.example" }],
          (headers) => Effect.promise(() => post(`${front.url}/v1/images/generations`, headers))
        )
        assert.deepStrictEqual(statuses, [401, 403])
      })
    )

    it.effect("keeps Cancel, the time and the progress in view on a phone, wherever it is scrolled to", () =>
      Effect.gen(function* () {
        const { page } = yield* Site.open({ faults: [held], browser: phone })
        yield* ask(page)
        yield* Effect.promise(async () => {
          const parts = [
            page.getByText("Partial image 1 of 3"),
            page.getByText(/^\d+ s$/),
            page.getByRole("button", { name: "Cancel" })
          ]
          await page.getByText("Partial image 1 of 3").waitFor()
          for (const top of [0, 300, 10_000]) {
            await page.evaluate((y) => scrollTo(0, y), top)
            for (const part of parts) assert.isTrue(await isInView(part), `${part.toString()} at ${top}`)
          }
          await page.getByRole("button", { name: "Cancel" }).click()
        })
        yield* reach(page, "cancelled")
      })
    )

    it.effect("has targets for fingers on a phone, names the folded options, and shows no keys", () =>
      Effect.gen(function* () {
        const { page } = yield* Site.open({ images: "plain", browser: phone })
        yield* ask(page)
        yield* reach(page, "done")
        yield* Effect.promise(async () => {
          const heights = await page
            .locator(":is(button, summary, a, textarea, .choices label):visible")
            .evaluateAll((targets) =>
              targets.map((target) => [target.textContent.trim(), target.getBoundingClientRect().height] as const)
            )
          assert.isAtLeast(heights.length, 15)
          assert.deepStrictEqual(
            heights.filter(([, height]) => height < 44),
            []
          )
          assert.isFalse(await page.locator("kbd").first().isVisible())
          await page.locator("#options > summary").click()
          await page.getByLabel("Prompt").fill("Another")
          await page.getByLabel("Prompt").blur()
          assert.strictEqual(await page.locator("#chosen").innerText(), "Square, Low, JPEG")
        })
      })
    )

    it.effect("does not mark the button as the next thing to press while an image is made", () =>
      Effect.gen(function* () {
        const { page } = yield* Site.open({ faults: [held] })
        yield* ask(page)
        yield* reach(page, "drawing")
        yield* Effect.promise(async () => {
          const generate = page.getByRole("button", { name: "Generate" })
          const look = () =>
            generate.evaluate((button) => {
              const { borderColor, outlineStyle } = getComputedStyle(button)
              return [borderColor, outlineStyle]
            })
          const before = await look()
          await generate.hover()
          await generate.focus()
          assert.deepStrictEqual(await look(), before)
        })
      })
    )

    it.effect("opens an earlier image large, with its download and its settings", () =>
      Effect.gen(function* () {
        const { page } = yield* Site.open({ images: "plain" })
        yield* ask(page)
        yield* reach(page, "done")
        yield* Effect.promise(async () => {
          await page.reload()
          await page.getByRole("button", { name: `Open large: ${prompt}` }).click()
          const dialog = page.getByRole("dialog")
          const [download] = await Promise.all([
            page.waitForEvent("download"),
            dialog.getByRole("link", { name: "Download" }).click()
          ])
          assert.strictEqual(download.suggestedFilename(), "a-cute-baby-sea-otter.jpg")
          await dialog.getByRole("button", { name: "Use these settings" }).click()
          assert.isFalse(await dialog.isVisible())
          assert.isTrue(await page.getByRole("radio", { name: "JPEG" }).isChecked())
        })
      })
    )

    it.effect("brings the words of a failure into view on a phone", () =>
      Effect.gen(function* () {
        const { page } = yield* Site.open({ faults: [{ _tag: "reset-body", at: 2_000_000 }], browser: phone })
        yield* ask(page)
        yield* reach(page, "failed")
        yield* Site.until(() => isInView(page.getByRole("status")))
      })
    )

    it.effect("brings a finished image and its download into view on a phone", () =>
      Effect.gen(function* () {
        const { page } = yield* Site.open({ images: "plain", browser: phone })
        yield* ask(page)
        yield* reach(page, "done")
        yield* Site.until(() => isInView(page.getByRole("link", { name: "Download" })))
        assert.isTrue(yield* Effect.promise(() => isInView(page.getByRole("img", { name: prompt }))))
      })
    )

    for (const width of [390, 800, 1280]) {
      it.effect(`is not widened by an unbroken word, ${width} pixels wide`, () =>
        Effect.gen(function* () {
          const { page } = yield* Site.open({ images: "plain", browser: { viewport: { width, height: 800 } } })
          const word = `https://example.com/${"a".repeat(200)}`
          const overflow = () =>
            page.evaluate(() => {
              const form = document.getElementById("form")
              const inForm = form === null ? 0 : form.scrollWidth - form.clientWidth
              return Math.max(inForm, document.documentElement.scrollWidth - innerWidth)
            })
          yield* Effect.promise(() => page.getByLabel("Prompt").fill(word))
          assert.isAtMost(yield* Effect.promise(overflow), 0)
          yield* Effect.promise(() => page.keyboard.press("Control+Enter"))
          yield* reach(page, "done")
          assert.isAtMost(yield* Effect.promise(overflow), 0)
          yield* Effect.promise(async () => {
            await page.keyboard.press("Control+Enter")
            await page.getByRole("listitem").waitFor()
          })
          assert.isAtMost(yield* Effect.promise(overflow), 0)
        })
      )
    }

    for (const [name, browser] of [
      ["wide and light", { colorScheme: "light", viewport: { width: 1600, height: 1000 } }],
      ["narrow and dark", { colorScheme: "dark", viewport: { width: 360, height: 740 } }]
    ] as const) {
      it.effect(`can be used by everyone, ${name}`, () =>
        Effect.gen(function* () {
          const { page } = yield* Site.open({ faults: [{ ...refusal, status: 400, times: 1 }], browser })
          // The page's content security policy does not apply to scripts that the debugger runs, such as axe.
          yield* Effect.promise(async () => page.evaluate(await readFile(axeFile, "utf8")))
          assert.deepStrictEqual(yield* violations(page), [])
          yield* ask(page)
          yield* reach(page, "failed")
          assert.deepStrictEqual(yield* violations(page), [])
          yield* ask(page)
          yield* reach(page, "drawing")
          assert.deepStrictEqual(yield* violations(page), [])
          yield* reach(page, "done")
          assert.deepStrictEqual(yield* violations(page), [])
          const overflow = "document.documentElement.scrollWidth - innerWidth"
          assert.isAtMost(yield* Effect.promise(() => page.evaluate<number>(overflow)), 0)
        })
      )
    }
  })
})
