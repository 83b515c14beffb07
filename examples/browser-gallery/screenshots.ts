/**
 * `pnpm screenshots`: opens the gallery in Chromium, with the emulator as the service, and takes screenshots of most
 * states of the page: on a wide screen and on a phone, light and dark. It writes them to the folder that is given, by
 * default out/screenshots.
 */
import { GradientClient, Images } from "@effect-gradient/core"
import { Emulator, type Fault } from "@effect-gradient/emulator"
import { Console, Duration, Effect, Redacted, type Scope } from "effect"
import { mkdir } from "node:fs/promises"
import { join } from "node:path"
import { argv } from "node:process"
import type { BrowserContextOptions, Page } from "playwright-core"
import * as Site from "./test/Site.ts"

const [, , folder = join(import.meta.dirname, "../../out/screenshots")] = argv

const wide = { viewport: { width: 1440, height: 900 } }
const phone = { viewport: { width: 390, height: 844 }, hasTouch: true, isMobile: true, deviceScaleFactor: 2 }

const looks: Record<string, BrowserContextOptions> = {
  "wide-light": { ...wide, colorScheme: "light" },
  "wide-dark": { ...wide, colorScheme: "dark" },
  "phone-light": { ...phone, colorScheme: "light" },
  "phone-dark": { ...phone, colorScheme: "dark" }
}

const prompt = "A cute baby sea otter, floating on its back at dawn, in soft light"

interface State {
  readonly faults?: ReadonlyArray<Fault.Fault>
  readonly reach: (site: {
    readonly page: Page
    readonly cut: () => void
    readonly loseJournal: () => Promise<void>
  }) => Promise<void>
}

const ask = async (page: Page) => {
  await page.getByLabel("Prompt").fill(prompt)
  await page.getByRole("button", { name: "Generate" }).click()
}

const askUntil =
  (text: string | RegExp) =>
  async ({ page }: { readonly page: Page }) => {
    await ask(page)
    await page.getByText(text).first().waitFor()
  }

const askUntilFailed = async ({ page }: { readonly page: Page }) => {
  await ask(page)
  await page.locator('#stage[data-state="failed"]').waitFor()
}

/** A fault that makes the emulator stop sending for 10 minutes, within the third image of a stream. */
const held: Fault.Fault = { _tag: "stall-body", at: 9_000_000, for: Duration.minutes(10) }
const refusal = { _tag: "status", form: "openai" } as const

/** Stores `count` images in the page's IndexedDB, as if the user had generated them before, and reloads the page. */
const keep = async (page: Page, images: ReadonlyArray<Kept>, count: number) => {
  await page.evaluate(
    ({ kept, length }) =>
      new Promise<void>((resolve, reject) => {
        const opening = indexedDB.open("browser-gallery", 1)
        opening.addEventListener("error", () => reject(opening.error ?? new Error("IndexedDB failed")))
        opening.addEventListener("success", () => {
          const transaction = opening.result.transaction("images", "readwrite")
          for (let index = 0; index < length; index++) {
            const image = kept[index % kept.length]
            if (image === undefined) throw new TypeError("no images")
            transaction.objectStore("images").add({
              params: { prompt: image.prompt, size: image.size, outputFormat: "webp", partialImages: 3 },
              blob: new Blob([new Uint8Array(image.bytes)], { type: "image/webp" }),
              extension: "webp",
              facts: `1,379\u00a0tokens · 24.${index % 10}\u00a0s · ${image.size.replace("x", "\u00a0×\u00a0")}\u00a0WEBP`,
              madeAt: index
            })
          }
          transaction.addEventListener("complete", () => resolve())
        })
      }),
    { kept: images, length: count }
  )
  await page.reload()
  await page
    .getByRole("listitem")
    .nth(count - 1)
    .waitFor()
}

const statesOf = (images: ReadonlyArray<Kept>): Record<string, State> => ({
  empty: { reach: () => Promise.resolve() },
  drawing: {
    faults: [held],
    reach: async ({ page }) => {
      await keep(page, images, 6)
      await askUntil("Partial image 2 of 3")({ page })
    }
  },
  done: { reach: askUntil(/^Done/) },
  reconnecting: {
    faults: [held],
    reach: async ({ cut, page }) => {
      await askUntil("Partial image 2 of 3")({ page })
      await page.context().setOffline(true)
      cut()
      await page.getByText("reconnecting in 2 s").waitFor()
    }
  },
  "in-doubt": { faults: [{ _tag: "reset-body", at: 5_000_000 }], reach: askUntilFailed },
  "perhaps-paid": {
    faults: [held],
    reach: async ({ loseJournal, page }) => {
      await askUntil("Partial image 2 of 3")({ page })
      await loseJournal()
      await page.locator('#stage[data-state="failed"]').waitFor()
    }
  },
  refused: { faults: [{ ...refusal, status: 400, code: "moderation_blocked" }], reach: askUntilFailed },
  waiting: { faults: [{ ...refusal, status: 429, retryAfter: 30 }], reach: askUntil("retrying in") },
  busy: { faults: [{ ...refusal, status: 429, retryAfter: 0 }], reach: askUntilFailed },
  fifty: { reach: ({ page }) => keep(page, images, 50) },
  large: {
    reach: async ({ page }) => {
      await keep(page, images, 50)
      await page.getByRole("button", { name: "Open large" }).first().click()
    }
  }
})

interface Kept {
  readonly prompt: string
  readonly size: string
  readonly bytes: ReadonlyArray<number>
}

const prompts = [
  [prompt, "1024x1024"],
  ["Fog over a harbour", "1536x1024"],
  ["A lighthouse in a storm, seen from the sea, as a woodcut in two colours with a wide white border", "1024x1536"],
  ["Tulips", "1024x1024"]
] as const

const draw = Effect.forEach(prompts, ([text, size]) =>
  Effect.map(Images.generate({ prompt: text, size, outputFormat: "webp" }), ({ data }): Kept => ({
    prompt: text,
    size,
    bytes: [...data[0].bytes]
  }))
).pipe(
  Effect.provide(Images.layer),
  Effect.provide(GradientClient.layer({ modelAccessKey: Redacted.make("any") })),
  Effect.provide(Emulator.layerHttpClient())
)

const take = Effect.fnUntraced(function* (
  name: string,
  { faults = [], reach }: State,
  [look, browser]: [string, BrowserContextOptions]
) {
  const { front, loseJournal, page } = yield* Site.open({ faults, browser })
  // A screenshot of 50 images takes long on a busy machine.
  page.setDefaultTimeout(120_000)
  const context = yield* Effect.context<Scope.Scope>()
  const file = join(folder, `${name}-${look}`)
  yield* Effect.promise(async () => {
    await reach({ page, cut: () => front.cut(), loseJournal: () => Effect.runPromiseWith(context)(loseJournal) })
    await page.screenshot({ path: `${file}.png` })
    // On a phone, takes a second screenshot, of the full page, except in the state `large`.
    if (look.startsWith("phone") && name !== "large") {
      await page.screenshot({ path: `${file}-full.png`, fullPage: true })
    }
  })
  yield* Console.log(file)
}, Effect.scoped)

const program = Effect.gen(function* () {
  yield* Effect.promise(() => mkdir(folder, { recursive: true }))
  const states = statesOf(yield* draw)
  for (const [name, state] of Object.entries(states)) {
    yield* Effect.forEach(Object.entries(looks), (look) => take(name, state, look))
  }
})

await program.pipe(Effect.provide(Site.layer), Effect.runPromise)
