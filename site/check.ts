/**
 * Checks the links of the built site, and opens the pages of `paths` in Chromium, light and dark, in the width of a
 * desktop and of a phone. Fails if a link within the site or to a file of the repository leads nowhere, if axe finds a
 * fault, if a page logs an error, lacks an image or is wider than the screen, if the search does not find a word of a
 * guide, or if the playground does not show the expected events. If a folder is given as an argument, a screenshot of
 * each of these pages is written to it.
 */
import * as NodeHttpServer from "@effect/platform-node/NodeHttpServer"
import * as NodeServices from "@effect/platform-node/NodeServices"
import { Console, Effect, Layer } from "effect"
import { HttpRouter, HttpServer, HttpStaticServer } from "effect/http"
import { globSync, readFileSync } from "node:fs"
import { createServer } from "node:http"
import { createRequire } from "node:module"
import { join } from "node:path"
import { argv } from "node:process"
import type { Page } from "playwright-core"
import { linkFaults } from "./links.ts"
import * as Chromium from "../packages/browser/test/support/Chromium.ts"

const dist = join(import.meta.dirname, "dist")
const axe = readFileSync(createRequire(import.meta.url).resolve("axe-core/axe.min.js"), "utf8")
const [, , screenshots] = argv

/**
 * The pages to open: all except 404.html and the reference, and one page of the reference, because all of its pages are
 * made in the same way.
 */
const paths = [
  ...globSync("*.html", { cwd: dist }).filter((path) => path !== "404.html"),
  "reference/core/GradientError.html"
].toSorted()

const looks = [
  { name: "light", colorScheme: "light", viewport: { width: 1280, height: 900 } },
  { name: "dark", colorScheme: "dark", viewport: { width: 1280, height: 900 } },
  { name: "phone", colorScheme: "light", viewport: { width: 390, height: 844 } },
  { name: "phone-dark", colorScheme: "dark", viewport: { width: 390, height: 844 } }
] as const

/** The rules of axe that a page breaks, each with how many elements break it and the start of the first one's HTML. */
const brokenRules = (page: Page): Promise<ReadonlyArray<string>> =>
  page.evaluate(`${axe}; axe.run().then(({ violations }) =>
    violations.map(({ id, nodes }) => id + " (" + nodes.length + "): " + nodes[0].html.slice(0, 200)))`)

/**
 * One fault for each image that cannot be shown. It first loads the images that would be loaded only when they are
 * scrolled to.
 */
const missingImages = (page: Page): Promise<ReadonlyArray<string>> =>
  page.evaluate(`Promise.all(Array.from(document.images, async (image) => {
    image.loading = "eager"
    return image.decode().then(() => [], () => ["this image cannot be shown: " + image.src])
  })).then((all) => all.flat())`)

const isTooWide = (page: Page) => page.evaluate<boolean>("document.documentElement.scrollWidth > innerWidth")

const check = Effect.fnUntraced(function* (baseUrl: string, path: string, look: (typeof looks)[number]) {
  const page = yield* Chromium.openPage({ colorScheme: look.colorScheme, viewport: look.viewport })
  const faults: Array<string> = []
  page.on("console", (message) => void (message.type() === "error" && faults.push(message.text())))
  page.on("pageerror", (error) => void faults.push(error.message))
  yield* Effect.promise(async () => {
    await page.goto(`${baseUrl}/${path}`, { waitUntil: "load" })
    await page.waitForFunction("document.querySelector('.VPContent') !== null")
    faults.push(...(await brokenRules(page)), ...(await missingImages(page)))
    if (await isTooWide(page)) faults.push("the page is wider than the screen")
    if (screenshots !== undefined) {
      await page.screenshot({ path: join(screenshots, `${path.replaceAll("/", "-")}.${look.name}.png`) })
    }
  })
  return faults.map((fault) => `${path}, ${look.name}: ${fault}`)
}, Effect.scoped)

/**
 * Searches for an option that a guide explains, and opens the first result. Returns a fault if that page does not
 * contain the option's name.
 */
const checkSearch = Effect.fnUntraced(function* (baseUrl: string) {
  const page = yield* Chromium.openPage()
  return yield* Effect.promise(async () => {
    await page.goto(baseUrl, { waitUntil: "load" })
    await page.getByRole("button", { name: "Search" }).first().click()
    await page.locator("#localsearch-input").fill("idempotencyKey")
    await page.locator(".VPLocalSearchBox .result").first().click()
    await page.waitForURL((url) => url.pathname !== "/")
    const text = (await page.locator("main").textContent()) ?? ""
    return text.includes("idempotencyKey")
      ? []
      : [`the first result of a search for idempotencyKey lacks this word: ${page.url()}`]
  })
}, Effect.scoped)

/**
 * Draws an image in the playground, then makes the playground's service refuse the prompt, and draws once more. Returns
 * a fault unless there are 4 events the first time, and only the refusal the second time. Otherwise returns a fault for
 * each image that cannot be shown.
 */
const checkPlayground = Effect.fnUntraced(function* (baseUrl: string) {
  const page = yield* Chromium.openPage()
  return yield* Effect.promise(async () => {
    await page.goto(`${baseUrl}/playground.html`, { waitUntil: "load" })
    const events = page.getByRole("list", { name: "Events" })
    const draw = async (last: string) => {
      await page.getByRole("button", { name: "Draw" }).click()
      await events.getByText(last).waitFor()
      return events.getByRole("listitem").count()
    }
    const drawn = await draw("Completed")
    await page.getByLabel("The service").selectOption({ label: "refuses the prompt" })
    const refused = await draw("ContentPolicyError")
    if (screenshots !== undefined) await page.screenshot({ path: join(screenshots, "playground.drawn.png") })
    const missing = await missingImages(page)
    return drawn === 4 && refused === 1
      ? missing
      : [`the playground shows ${drawn} events (expected 4), and ${refused} for a refused prompt (expected 1)`]
  })
}, Effect.scoped)

const server = HttpRouter.serve(HttpStaticServer.layer({ root: dist }), {
  disableLogger: true,
  disableListenLog: true
}).pipe(Layer.provideMerge(NodeHttpServer.layer(createServer, { port: 0, host: "127.0.0.1" })))

const program = Effect.gen(function* () {
  const { address } = yield* HttpServer.HttpServer
  const baseUrl = HttpServer.formatAddress(address)
  const pages = paths.flatMap((path) => looks.map((look) => [path, look] as const))
  const shown = yield* Effect.forEach(pages, ([path, look]) => check(baseUrl, path, look), { concurrency: 2 })
  const faults = [
    ...linkFaults(),
    ...(yield* checkSearch(baseUrl)),
    ...(yield* checkPlayground(baseUrl)),
    ...shown.flat()
  ]
  yield* Effect.forEach(faults, (fault) => Console.error(fault))
  yield* Console.log(`${paths.length} pages, each in ${looks.length} looks: ${faults.length} faults`)
  if (faults.length > 0) process.exitCode = 1
})

await program.pipe(Effect.provide([server, Chromium.layer, NodeServices.layer]), Effect.scoped, Effect.runPromise)
