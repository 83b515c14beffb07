/**
 * Runs batches while PostgreSQL is stopped, or the bucket replies 503, for some time. The ledger of the emulator shows
 * which requests were paid for.
 */
import { GradientClient, Images, RetryPolicy } from "@effect-gradient/core"
import { Emulator, Ledger } from "@effect-gradient/emulator"
import { describe, expect, it } from "@effect/vitest"
import * as NodeServices from "@effect/platform-node/NodeServices"
import * as PgClient from "@effect/sql-pg/PgClient"
import * as Context from "effect/Context"
import * as Effect from "effect/Effect"
import * as Fiber from "effect/Fiber"
import * as Layer from "effect/Layer"
import * as Logger from "effect/Logger"
import * as Option from "effect/Option"
import * as Redacted from "effect/Redacted"
import * as Stream from "effect/Stream"
import { once } from "node:events"
import { mkdtempSync } from "node:fs"
import * as http from "node:http"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { DurableImages, GenerationJournal, ImageBatch, ImageStore } from "../src/index.ts"
import { postgres } from "./support/postgres.ts"
import { inBucket, s3 } from "./support/s3.ts"

const total = 80
const concurrency = 8
const promptOf = (index: number) => `otter ${index}`
const indexes = Array.from({ length: total }, (_, index) => index)
const run = ImageBatch.run({
  name: "otters",
  concurrency,
  lines: Stream.fromIterable(indexes.map((index) => JSON.stringify({ id: `${index}`, prompt: promptOf(index) })))
})

const emulator = Emulator.layerHttpClient({ images: "plain", latency: "50 millis" })

/** The emulator as the service, and the prompts of the requests that it was paid for. */
const service = Effect.map(
  Layer.build(
    Images.layer.pipe(
      Layer.provide(GradientClient.layer({ modelAccessKey: Redacted.make("test"), retry: RetryPolicy.none })),
      Layer.provideMerge(emulator)
    )
  ),
  (context) => ({
    images: Layer.succeed(Images.Images, Context.get(context, Images.Images)),
    paid: Effect.map(Context.get(context, Ledger.Ledger).account, ({ entries }) => entries.map(({ prompt }) => prompt))
  })
)

type Service = Effect.Success<typeof service>

/** One simulated process, which uses this journal and this store. */
const processOn = <E, F>(
  { images }: Service,
  journal: Layer.Layer<GenerationJournal.GenerationJournal, E>,
  store: Layer.Layer<ImageStore.ImageStore, F>
) => Layer.build(DurableImages.layer().pipe(Layer.provide(images), Layer.provideMerge(Layer.merge(journal, store))))

/** Runs the batch. `outage` runs when a quarter of the requests have been paid for. */
const runDuring = ({ paid }: Service, outage: Effect.Effect<void>) =>
  Effect.gen(function* () {
    const running = yield* Effect.forkChild(Stream.runLast(run))
    while ((yield* paid).length < total / 4) yield* Effect.sleep("10 millis")
    yield* outage
    return Option.getOrUndefined(yield* Fiber.join(running))
  })

/** Checks that the store has every image, and that each request was paid for once. */
const checkAll = ({ paid }: Service) =>
  Effect.gen(function* () {
    for (const index of indexes) {
      const { response } = yield* DurableImages.join(`otters/${index}`)
      expect((yield* response).data[0].bytes.length).toBeGreaterThan(0)
    }
    expect((yield* paid).toSorted()).toEqual(indexes.map(promptOf).toSorted())
  }).pipe(Effect.scoped)

const listening = (server: http.Server) =>
  Effect.acquireRelease(
    Effect.promise(async () => {
      server.listen(0, "127.0.0.1")
      await once(server, "listening")
      const address = server.address()
      return `http://127.0.0.1:${address !== null && typeof address === "object" ? address.port : 0}`
    }),
    () => Effect.sync(() => server.close().closeAllConnections())
  )

/** A bucket behind a proxy. While `isAway` is true, the proxy replies 503 to every request. */
const bucket = Effect.gen(function* () {
  const { options } = yield* s3
  const state = { isAway: false, refused: 0 }
  const proxy = http.createServer((request, response) => {
    if (state.isAway) {
      state.refused++
      return void request.resume().on("end", () => response.writeHead(503).end())
    }
    const target = new URL(request.url ?? "", options.endpoint)
    // `agent: false` closes the connection after the reply. The S3 server waits until its connections are closed before
    // it closes.
    const forwarded = http.request(
      target,
      { method: request.method, headers: request.headers, agent: false },
      (reply) => {
        response.writeHead(reply.statusCode ?? 500, reply.headers)
        reply.pipe(response)
      }
    )
    request.pipe(forwarded)
  })
  return { state, store: inBucket({ ...options, endpoint: yield* listening(proxy) }) }
})

describe("a batch", () => {
  it.live(
    "goes on after its bucket has answered 503 for a while: nothing is lost, and nothing is paid for twice",
    () =>
      Effect.gen(function* () {
        const paying = yield* service
        const { state, store } = yield* bucket
        const process = yield* processOn(paying, GenerationJournal.layerMemory, store)
        const outage = Effect.gen(function* () {
          state.isAway = true
          yield* Effect.sleep("3 seconds")
          state.isAway = false
        })
        const end = yield* Effect.provide(runDuring(paying, outage), process)
        expect(end).toMatchObject({ done: total, failed: 0, inDoubt: 0 })
        expect(state.refused).toBeGreaterThanOrEqual(concurrency)
        yield* Effect.provide(checkAll(paying), process)
      }).pipe(Effect.scoped),
    120_000
  )

  it.live(
    "goes on after PostgreSQL was stopped for 10 seconds: nothing is lost, and nothing is paid for twice",
    (context) =>
      Effect.gen(function* () {
        const server = yield* postgres
        if (Option.isNone(server)) return context.skip("PostgreSQL does not start here")
        const { start, stop, url } = server.value
        const journal = GenerationJournal.layerSql().pipe(Layer.provide(PgClient.layer({ url: Redacted.make(url) })))
        const folder = ImageStore.layerFolder(join(mkdtempSync(join(tmpdir(), "outage-")), "images"))
        const paying = yield* service
        const process = yield* processOn(paying, journal, folder.pipe(Layer.provide(NodeServices.layer)))
        const outage = Effect.andThen(stop, Effect.andThen(Effect.sleep("10 seconds"), start))
        const end = yield* Effect.provide(runDuring(paying, outage), process)
        expect(end).toMatchObject({ done: total, failed: 0, inDoubt: 0 })
        yield* Effect.provide(checkAll(paying), process)
        // The log would show that outcomes are written later, so it is turned off.
      }).pipe(Effect.scoped, Effect.provide(Logger.layer([]))),
    180_000
  )
})
