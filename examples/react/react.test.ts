import { assert, describe, layer } from "@effect/vitest"
import { NodeHttpServer, NodeServices } from "@effect/platform-node"
import { Emulator } from "@effect-gradient/emulator"
import { Context, Effect, FileSystem, Layer } from "effect"
import {
  HttpClient,
  HttpClientRequest,
  HttpRouter,
  HttpServer,
  HttpServerRequest,
  HttpServerResponse,
  HttpStaticServer
} from "effect/http"
import { createServer } from "node:http"
import type { Page } from "playwright-core"
import { build } from "vite"
import * as Chromium from "../../packages/browser/test/support/Chromium.ts"

/** The folder with the page, built once for all tests. */
class Built extends Context.Service<Built, string>()("test/Built") {}

const built = Layer.effect(
  Built,
  Effect.gen(function* () {
    const fileSystem = yield* FileSystem.FileSystem
    const outDir = yield* fileSystem.makeTempDirectoryScoped({ prefix: "react-example-" })
    yield* Effect.promise(() =>
      build({ root: import.meta.dirname, configFile: false, logLevel: "warn", build: { outDir, emptyOutDir: true } })
    )
    return outDir
  })
).pipe(Layer.provide(NodeServices.layer))

/** Takes the place of the gateway: adds a key to each request, and sends it to the emulator. */
const api = HttpRouter.add(
  "POST",
  "/v1/images/generations",
  Effect.fnUntraced(function* (request: HttpServerRequest.HttpServerRequest) {
    const client = yield* HttpClient.HttpClient
    const forwarded = HttpClientRequest.bearerToken(HttpServerRequest.toClientRequest(request), "any")
    return HttpServerResponse.fromClientResponse(yield* client.execute(forwarded))
  })
)

/** Opens the page, with the emulator behind it. */
const open = Effect.fnUntraced(function* (options: Emulator.EmulatorOptions) {
  const server = HttpRouter.serve(Layer.merge(api, HttpStaticServer.layer({ root: yield* Built })), {
    disableLogger: true,
    disableListenLog: true
  }).pipe(
    Layer.provide(Emulator.layerHttpClient({ images: "plain", ...options })),
    Layer.provideMerge(NodeHttpServer.layer(createServer, { port: 0, host: "127.0.0.1", gracefulShutdownTimeout: 0 }))
  )
  const context = yield* Layer.build(server)
  const page = yield* Chromium.openPage()
  yield* Effect.promise(() => page.goto(HttpServer.formatAddress(Context.get(context, HttpServer.HttpServer).address)))
  return page
})

const click = (page: Page, name: string) => page.getByRole("button", { name }).click()

const says = (page: Page, text: string) => page.getByRole("status").getByText(text, { exact: true }).waitFor()

/** The width in pixels of the image that is shown. It fails if the image cannot be decoded. */
const shownWidth = (page: Page) =>
  page.getByRole("img").evaluate(async (image: HTMLImageElement) => {
    for (;;) {
      const { src } = image
      try {
        await image.decode()
        return image.naturalWidth
      } catch (error) {
        // An image also cannot be decoded if the next one takes its place meanwhile.
        if (image.src === src) throw error
      }
    }
  })

describe.skipIf(!Chromium.isAvailable)("the React page, in Chromium", () => {
  layer(Layer.merge(Chromium.layer, built), { excludeTestServices: true, timeout: "1 minute" })((it) => {
    it.effect("shows each image as it arrives, and says when it is done", () =>
      Effect.gen(function* () {
        const page = yield* open({ pace: "300 millis" })
        yield* Effect.promise(async () => {
          await click(page, "Draw")
          await says(page, "Getting sharper")
          assert.isAbove(await shownWidth(page), 0)
          await says(page, "Done")
          assert.isAbove(await shownWidth(page), 0)
        })
      })
    )

    it.effect("keeps the last image when it is cancelled, and can draw again", () =>
      Effect.gen(function* () {
        const page = yield* open({ pace: "1 second" })
        yield* Effect.promise(async () => {
          await click(page, "Draw")
          await says(page, "Getting sharper")
          await click(page, "Cancel")
          await says(page, "Cancelled")
          assert.isAbove(await shownWidth(page), 0)
          await click(page, "Draw")
          await says(page, "Done")
        })
      })
    )

    it.effect("shows the message of a failure", () =>
      Effect.gen(function* () {
        const page = yield* open({ faults: ["status=400;code=moderation_blocked"] })
        yield* Effect.promise(async () => {
          await click(page, "Draw")
          await page.getByRole("status").getByText("moderation").waitFor()
          assert.strictEqual(await page.getByRole("img").count(), 0)
        })
      })
    )
  })
})
