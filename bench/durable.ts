/**
 * Compares durable calls with plain ones, in milliseconds: the journal on SQLite, and the store, in memory and synced to
 * a folder. `node bench/durable.ts [calls]`. No network: the transport answers at once with one image of 1.5 MB.
 */
import { Images } from "@effect-gradient/core"
import { TestTransport } from "@effect-gradient/core/testing"
import { DurableImages, GenerationJournal, ImageStore } from "@effect-gradient/durable"
import { SqliteClient } from "@effect-gradient/durable/node"
import { NodeServices } from "@effect/platform-node"
import { Effect, Layer } from "effect"
import { mkdtemp, rm } from "node:fs/promises"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { spreadOf } from "./statistics.ts"

const calls = Number(process.argv[2] ?? 200)
const bytes = Buffer.concat([Buffer.from("89504e470d0a1a0a", "hex"), Buffer.alloc(1_500_000, "otter")])
const body = Buffer.from(JSON.stringify({ created: 1_700_000_000, data: [{ b64_json: bytes.toString("base64") }] }))
const plain = TestTransport.layerImages(() => TestTransport.respond({ bytes: body }))

const folder = await mkdtemp(join(tmpdir(), "bench-durable-"))
const sqlite = GenerationJournal.layerSql().pipe(
  Layer.provide(SqliteClient.layer({ filename: join(folder, "journal.db") }))
)
const synced = ImageStore.layerFolder(join(folder, "images")).pipe(Layer.provide(NodeServices.layer))

const durable = (
  journal: Layer.Layer<GenerationJournal.GenerationJournal, unknown>,
  store: Layer.Layer<ImageStore.ImageStore, unknown>,
  checkStore: boolean
) => DurableImages.layer({ checkStore }).pipe(Layer.provide([plain, journal, store]))

const { layerMemory: memoryJournal } = GenerationJournal
const { layerMemory: memoryStore } = ImageStore

/** Each has one part more than the one before. */
const contestants: ReadonlyArray<readonly [string, Layer.Layer<Images.Images, unknown>]> = [
  ["plain", plain],
  ["durable, all in memory", durable(memoryJournal, memoryStore, false)],
  ["durable, journal on SQLite", durable(sqlite, memoryStore, false)],
  ["durable, SQLite and synced folder", durable(sqlite, synced, false)],
  ["the same, looking into the store first", durable(sqlite, synced, true)]
]

const timeOf = (name: string, index: number) =>
  Effect.gen(function* () {
    const start = performance.now()
    yield* Images.generate({ prompt: "An otter" }, { idempotencyKey: `${name} ${index}` })
    return performance.now() - start
  })

for (const [name, layer] of contestants) {
  const times = await Effect.runPromise(
    Effect.forEach(Array.from({ length: calls }), (_, index) => timeOf(name, index)).pipe(Effect.provide(layer))
  )
  console.log(`${name}: median ${spreadOf(times.slice(calls / 10)).median.toFixed(2)} ms`)
}
await rm(folder, { recursive: true })
