/**
 * Serves the test page, with the emulator as the service, and opens it in Chromium.
 */
import { NodeHttpServer } from "@effect/platform-node"
import { Emulator } from "@effect-gradient/emulator"
import { Context, Effect, Layer } from "effect"
import {
  HttpClient,
  HttpClientRequest,
  HttpRouter,
  HttpServer,
  HttpServerRequest,
  HttpServerResponse,
  HttpStaticServer
} from "effect/http"
import { cp, mkdtemp, rm } from "node:fs/promises"
import { createServer } from "node:http"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { build } from "rolldown"
import * as Chromium from "./Chromium.ts"

/** The URL of the test page. */
class Address extends Context.Service<Address, string>()("test/Address") {}

const source = join(import.meta.dirname, "../page")

/** A temporary folder with the page and its bundled scripts. */
const built = Effect.acquireRelease(
  Effect.promise(async () => {
    const dir = await mkdtemp(join(tmpdir(), "effect-gradient-page-"))
    await cp(join(source, "index.html"), join(dir, "index.html"))
    await build({
      input: [join(source, "main.ts"), join(source, "worker.ts")],
      platform: "browser",
      output: { dir, format: "esm" }
    })
    return dir
  }),
  (folder) => Effect.promise(() => rm(folder, { recursive: true }))
)

/** Forwards the page's requests for images to the emulator, and adds the key, which the page does not have. */
const api = HttpRouter.add(
  "POST",
  "/v1/images/generations",
  Effect.fnUntraced(function* (request: HttpServerRequest.HttpServerRequest) {
    const client = yield* HttpClient.HttpClient
    const forwarded = HttpClientRequest.bearerToken(HttpServerRequest.toClientRequest(request), "any")
    return HttpServerResponse.fromClientResponse(yield* client.execute(forwarded))
  })
)

const files = Layer.unwrap(Effect.map(built, (root) => HttpStaticServer.layer({ root })))

const server = HttpRouter.serve(Layer.merge(api, files), { disableLogger: true, disableListenLog: true }).pipe(
  Layer.provide(Emulator.layerHttpClient({ allowFaultHeader: true })),
  Layer.provideMerge(NodeHttpServer.layer(createServer, { port: 0, host: "127.0.0.1", gracefulShutdownTimeout: 0 }))
)

/** Chromium and the page's server. All tests of a file share them. */
export const layer = Layer.merge(
  Chromium.layer,
  Layer.effect(Address, HttpServer.addressFormattedWith(Effect.succeed)).pipe(Layer.provide(server))
)

export const open = Effect.gen(function* () {
  const page = yield* Chromium.openPage()
  const address = yield* Address
  yield* Effect.promise(() => page.goto(address))
  yield* Effect.promise(() => page.waitForFunction(() => "testPage" in globalThis))
  return page
})
