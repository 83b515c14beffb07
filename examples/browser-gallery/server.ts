/**
 * Serves the page and the gateway behind it, on one port of this machine. The key of the service, if there is one, is
 * never sent to the page.
 */
import { NodeHttpServer } from "@effect/platform-node"
import { Images } from "@effect-gradient/core"
import { DurableImages } from "@effect-gradient/durable"
import { Attempts, Callers, ImagesGateway } from "@effect-gradient/gateway"
import { Data, Effect, FileSystem, Layer } from "effect"
import { HttpRouter, HttpServerRespondable, HttpServerResponse, HttpStaticServer } from "effect/http"
import { RateLimiter } from "effect/persistence"
import { createServer } from "node:http"
import { build } from "vite"

/** The page could not be built, for example because its source has a mistake. */
export class BuildError extends Data.TaggedError("BuildError")<{ readonly cause: unknown }> {}

/**
 * Builds the page into a temporary folder, and returns the folder's path. The folder is deleted when the scope closes.
 * The page shows `note`.
 */
export const buildPage = Effect.fn("buildPage")(function* (note: string) {
  const fileSystem = yield* FileSystem.FileSystem
  const folder = yield* fileSystem.makeTempDirectoryScoped({ prefix: "browser-gallery-" })
  yield* Effect.tryPromise({
    try: () =>
      build({
        root: import.meta.dirname,
        configFile: false,
        logLevel: "warn",
        define: { "import.meta.env.VITE_SERVICE": JSON.stringify(note) },
        // The page's content security policy blocks data URLs, so the build must not turn an asset into one.
        build: { outDir: folder, emptyOutDir: true, assetsInlineLimit: 0 }
      }),
    catch: (cause) => new BuildError({ cause })
  })
  return folder
})

const headers = {
  "content-security-policy":
    "default-src 'self'; img-src 'self' blob:; object-src 'none'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'",
  "cross-origin-opener-policy": "same-origin",
  "referrer-policy": "no-referrer",
  "x-content-type-options": "nosniff",
  "cache-control": "no-cache"
}

const page = (folder: string) =>
  HttpRouter.use(
    Effect.fnUntraced(function* (router) {
      const files = yield* HttpStaticServer.make({ root: folder })
      const answer = files.pipe(
        Effect.catch(HttpServerRespondable.toResponse),
        Effect.map(HttpServerResponse.setHeaders(headers))
      )
      yield* router.add("GET", "/*", answer)
    })
  )

/**
 * The gateway accepts only requests whose Host header is 127.0.0.1 or localhost, with a port. A foreign site can let its
 * own domain name point to this server. The Host header of its pages' requests has that name, so the gateway refuses them.
 */
const callers = Layer.succeed(Callers.Callers, {
  identify: ({ host = "" }) =>
    /^(127\.0\.0\.1|localhost):\d+$/.test(host)
      ? Effect.succeed({ id: "page" })
      : Effect.fail(
          new Callers.Unauthorized({
            message: "This gateway accepts only requests to 127.0.0.1 or localhost, with a port."
          })
        )
})

/** The gateway. It is durable, so that a page that lost its connection can reconnect and get its image. */
const gateway = (durable: DurableImages.Options) =>
  ImagesGateway.layer().pipe(
    Layer.provide([
      callers,
      Attempts.layerDurable.pipe(Layer.provide(DurableImages.layer(durable)), Layer.provide(Images.layer)),
      RateLimiter.layer.pipe(Layer.provide(RateLimiter.layerStoreMemory))
    ])
  )

/** An HTTP server that stops when its scope closes, even if clients are still connected. */
const nodeServer = (port: number) =>
  Layer.unwrap(
    Effect.sync(() => {
      const server = createServer()
      return Layer.effectDiscard(Effect.addFinalizer(() => Effect.sync(() => server.closeAllConnections()))).pipe(
        Layer.provideMerge(
          NodeHttpServer.layer(() => server, { port, host: "127.0.0.1", disablePreemptiveShutdown: true })
        )
      )
    })
  )

/**
 * Serves the page in `folder`, and the gateway, on a port of this machine; port 0 is any free one. The gateway sends
 * requests with the `GradientClient` that is provided. Servers that share a journal and a store can reply to each
 * other's requests: if one server has stopped, another one has its images.
 */
export const layer = ({
  durable = {},
  folder,
  port
}: {
  readonly folder: string
  readonly port: number
  readonly durable?: DurableImages.Options
}) =>
  HttpRouter.serve(Layer.merge(page(folder), gateway(durable)), { disableLogger: true, disableListenLog: true }).pipe(
    Layer.provideMerge(nodeServer(port))
  )
