/**
 * A runner of a batch in its own process: `node batchRunner.ts <RunnerPlan as JSON>`. It sends its parent process
 * `progress` each time that the batch reports progress, and at the end its peak of resident memory, in bytes.
 */
import { NodeImages } from "@effect-gradient/node"
import { DurableImages, GenerationJournal, ImageBatch, ImageStore } from "@effect-gradient/durable"
import { SqliteClient } from "@effect-gradient/durable/node"
import * as NodeServices from "@effect/platform-node/NodeServices"
import * as PgClient from "@effect/sql-pg/PgClient"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import * as Redacted from "effect/Redacted"
import * as Schema from "effect/Schema"
import * as Stream from "effect/Stream"

const RunnerPlan = Schema.Struct({
  baseUrl: Schema.String,
  journal: Schema.String,
  store: Schema.String,
  /**
   * The number of requests in the batch. It is absent for a runner that helps with a batch that another runner has
   * begun.
   */
  total: Schema.optional(Schema.Int)
})

export type RunnerPlan = typeof RunnerPlan.Type

const { baseUrl, journal, store, total } = Schema.decodeUnknownSync(Schema.fromJsonString(RunnerPlan))(process.argv[2])

const sql = journal.startsWith("postgres:")
  ? PgClient.layer({ url: Redacted.make(journal), maxConnections: 8 })
  : SqliteClient.layer({ filename: journal })

const layer = DurableImages.layer({ checkStore: false }).pipe(
  Layer.provide(NodeImages.layer({ baseUrl, modelAccessKey: Redacted.make("bench") })),
  Layer.provideMerge(GenerationJournal.layerSql().pipe(Layer.provide(sql))),
  Layer.provideMerge(ImageStore.layerFolder(store)),
  Layer.provide(NodeServices.layer)
)

const options = { name: "bench", concurrency: 32 }
const lines = Stream.range(1, total ?? 0).pipe(Stream.map((id) => `{"id":"${id}","prompt":"An otter, number ${id}"}`))
const batch = total === undefined ? ImageBatch.worker(options) : ImageBatch.run({ ...options, lines })

await batch.pipe(
  Stream.runForEach(() => Effect.sync(() => process.send?.("progress"))),
  Effect.provide(layer),
  Effect.runPromise
)
process.send?.(process.resourceUsage().maxRSS * 1024)
process.disconnect?.()
