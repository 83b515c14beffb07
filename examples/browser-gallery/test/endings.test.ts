import { NodeHttpServer } from "@effect/platform-node"
import { assert, describe, layer } from "@effect/vitest"
import { GradientClient } from "@effect-gradient/core"
import { Emulator, type Fault } from "@effect-gradient/emulator"
import { Attempts, Callers, ImagesGateway } from "@effect-gradient/gateway"
import { NodeImages } from "@effect-gradient/node"
import { Duration, Effect, Layer, Redacted } from "effect"
import { HttpRouter, HttpServer, HttpStaticServer } from "effect/http"
import { RateLimiter } from "effect/persistence"
import { createServer } from "node:http"
import type { Page, Request } from "playwright-core"
import { vi } from "vitest"
import * as Chromium from "../../../packages/browser/test/support/Chromium.ts"
import * as ComingBack from "./ComingBack.ts"
import * as Site from "./Site.ts"

// A test runs a page in Chromium, which takes long on a busy machine.
vi.setConfig({ testTimeout: 120_000 })

/** The page on a gateway that is not durable: it passes on the bytes of the service. */
const openOnce = Effect.fnUntraced(function* (faults: ReadonlyArray<Fault.Fault> = []) {
  const emulator = yield* Layer.build(Emulator.layerServer({ port: 0, faults, images: "plain" }))
  const baseUrl = yield* Effect.provide(Emulator.baseUrl, emulator)
  const gateway = ImagesGateway.layer().pipe(
    Layer.provide([
      Layer.succeed(Callers.Callers, { identify: () => Effect.succeed({ id: "page" }) }),
      Attempts.layerOnce,
      RateLimiter.layer.pipe(Layer.provide(RateLimiter.layerStoreMemory))
    ]),
    Layer.provide(GradientClient.layer({ baseUrl, modelAccessKey: Redacted.make(Site.key) })),
    Layer.provide(NodeImages.layerHttpClient())
  )
  const files = HttpStaticServer.layer({ root: yield* Site.Built })
  const server = yield* Layer.build(
    HttpRouter.serve(Layer.merge(gateway, files), { disableLogger: true, disableListenLog: true }).pipe(
      Layer.provideMerge(NodeHttpServer.layer(createServer, { port: 0, host: "127.0.0.1", gracefulShutdownTimeout: 0 }))
    )
  )
  const page = yield* Chromium.openPage()
  const url = yield* Effect.provide(HttpServer.addressFormattedWith(Effect.succeed), server)
  yield* Effect.promise(() => page.goto(url))
  return page
})

const openDurable = Effect.map(Site.open({ images: "plain" }), ({ page }) => page)

/** How each POST of the page ends for Chromium: with its status, or with the reason for which it failed. */
const endsOf = (page: Page) => {
  const ends: Array<string | number | undefined> = []
  const note = (request: Request, end: string | number | undefined) => {
    if (request.method() === "POST") ends.push(end)
  }
  page.on("requestfailed", (request) => note(request, request.failure()?.errorText))
  page.on("requestfinished", async (request) => note(request, (await request.response())?.status()))
  return ends
}

const clickUntil = (page: Page, name: string, text: string) =>
  Effect.promise(async () => {
    await page.getByRole("button", { name }).click()
    await page.getByText(text).waitFor()
  })

describe.skipIf(!Chromium.isAvailable)("the requests of a page, in Chromium", () => {
  layer(ComingBack.layer, { excludeTestServices: true, timeout: "1 minute" })((it) => {
    for (const [gateway, open] of [
      ["a durable gateway", openDurable],
      ["a gateway that is not durable", openOnce()]
    ] as const) {
      it.effect(`end without an error: a stream and a JSON reply of ${gateway}`, () =>
        Effect.gen(function* () {
          const page = yield* open
          const ends = endsOf(page)
          yield* clickUntil(page, "Generate", "Completed")
          yield* Site.until(() => ends.length === 1)
          yield* clickUntil(page, "Store", "It is stored.")
          yield* Site.until(() => ends.length === 2)
          assert.deepStrictEqual(ends, [200, 200])
        })
      )
    }

    it.effect(
      "a stream that the service does not end: the image is there at once, and the request is cancelled soon",
      () =>
        Effect.gen(function* () {
          const page = yield* openOnce([{ _tag: "stall-body", at: 1_000_000_000, for: Duration.minutes(10) }])
          const ends = endsOf(page)
          yield* clickUntil(page, "Draw", "Done")
          assert.deepStrictEqual(ends, [])
          yield* Site.until(() => ends.length === 1)
          assert.deepStrictEqual(ends, ["net::ERR_ABORTED"])
        })
    )
  })
})
