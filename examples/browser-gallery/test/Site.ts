/**
 * Opens the gallery for a test: a page in Chromium, the gallery's server, and the emulator as its service. A relay is
 * before the server, and another one before the emulator. They record what is sent, and can break connections.
 */
import { NodeServices } from "@effect/platform-node"
import { GradientClient } from "@effect-gradient/core"
import { GenerationJournal, ImageStore } from "@effect-gradient/durable"
import { Emulator, type Fault, Ledger } from "@effect-gradient/emulator"
import { NodeImages } from "@effect-gradient/node"
import { Context, Effect, Layer, Logger, Redacted } from "effect"
import { HttpServer } from "effect/http"
import type { BrowserContextOptions, Page } from "playwright-core"
import { vi } from "vitest"
import * as Chromium from "../../../packages/browser/test/support/Chromium.ts"
import * as Gallery from "../server.ts"
import * as Relay from "./Relay.ts"

/** The key of the service. A test asserts that the page does not receive it. */
export const key = "sk-do-this-stays-behind-the-gateway"

/** The folder with the built page. */
export class Built extends Context.Service<Built, string>()("test/Built") {}

export const layer = Layer.merge(
  Chromium.layer,
  Layer.effect(Built, Gallery.buildPage("The emulator draws. Nothing is charged for.")).pipe(
    Layer.provide(NodeServices.layer)
  )
)

/**
 * Runs in the page. It records the texts that the element `status` shows, because a text can be replaced before a test
 * reads it.
 */
export const listen = () => {
  const said: Array<string> = []
  Object.assign(globalThis, { said })
  const note = () => {
    const text = document.getElementById("status")?.textContent ?? ""
    if (text !== "" && said.at(-1) !== text) said.push(text)
  }
  new MutationObserver(note).observe(document, { subtree: true, childList: true, characterData: true })
}

export const errorsOf = (page: Page) => {
  const errors: Array<string> = []
  page.on("console", (message) => {
    if (message.type() === "error" || message.type() === "warning") errors.push(message.text())
  })
  page.on("pageerror", (error) => errors.push(String(error)))
  return errors
}

/**
 * Leaves out the errors that Chromium logs for each reply with an error status and each request without a reply,
 * because the page itself shows those failures. The errors that remain should not occur.
 */
export const unsaid = (errors: ReadonlyArray<string>) =>
  errors.filter((text) => !text.startsWith("Failed to load resource"))

/** Waits until the condition is true, at most 20 seconds. */
export const until = (condition: () => boolean | Promise<boolean>) =>
  Effect.promise(() => vi.waitUntil(condition, { timeout: 20_000, interval: 20 }))

interface Options {
  readonly faults?: ReadonlyArray<Fault.Fault>
  readonly browser?: BrowserContextOptions
  /** `plain` images have one colour: few bytes, and little time to draw. Default: `painted`. */
  readonly images?: "painted" | "plain"
}

/**
 * Opens the gallery. `said` has the texts that the element `status` has shown; `errors` has the errors and warnings of
 * the page's console, and its uncaught errors. `front` is the relay before the gallery's server, `back` the one before
 * the emulator.
 */
export const open = Effect.fn("Site.open")(function* ({ browser, faults, images }: Options = {}) {
  const emulator = yield* Layer.build(Emulator.layerServer({ port: 0, faults, images }))
  const back = yield* Relay.make(yield* Effect.provide(Emulator.baseUrl, emulator))
  const client = GradientClient.layer({ baseUrl: `${back.url}/v1`, modelAccessKey: Redacted.make(key) })
  const folder = yield* Built
  // Fresh, so that each server has a journal and a store of its own.
  const start = Effect.flatMap(
    Layer.build(
      Layer.fresh(
        Gallery.layer({ folder, port: 0, durable: { drain: "100 millis" } }).pipe(
          Layer.provide([client, GenerationJournal.layerMemory, ImageStore.layerMemory]),
          Layer.provide(NodeImages.layerHttpClient()),
          Layer.provide(Logger.layer([]))
        )
      )
    ),
    (server) => Effect.provide(HttpServer.addressFormattedWith(Effect.succeed), server)
  )
  const front = yield* Relay.make(yield* start)
  /** Starts another server, with an empty journal and no images. Breaks all connections; new ones go to this server. */
  const loseJournal = Effect.map(start, (address) => {
    front.target = new URL(address)
    front.cut()
  })
  const page = yield* Chromium.openPage({ reducedMotion: "reduce", ...browser })
  const errors = errorsOf(page)
  yield* Effect.promise(() => page.addInitScript(listen))
  yield* Effect.promise(() => page.goto(front.url))
  const said = Effect.promise(() => page.evaluate<ReadonlyArray<string>>("said"))
  return { page, said, errors, front, back, loseJournal, ledger: Context.get(emulator, Ledger.Ledger) }
})
