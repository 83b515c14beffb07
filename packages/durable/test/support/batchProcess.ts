/**
 * A runner of a batch in a process of its own, which tests kill, stop or end. It prints its progress as lines of JSON.
 *
 * Its one argument is JSON: see `BatchPlan`.
 */
import { RetryPolicy } from "@effect-gradient/core"
import { NodeImages } from "@effect-gradient/node"
import * as NodeRuntime from "@effect/platform-node/NodeRuntime"
import * as NodeServices from "@effect/platform-node/NodeServices"
import * as PgClient from "@effect/sql-pg/PgClient"
import * as Console from "effect/Console"
import * as Effect from "effect/Effect"
import * as FileSystem from "effect/FileSystem"
import * as Layer from "effect/Layer"
import * as Logger from "effect/Logger"
import * as Redacted from "effect/Redacted"
import * as Schema from "effect/Schema"
import * as Stream from "effect/Stream"
import { argv } from "node:process"
import { DurableImages, GenerationJournal, ImageBatch, ImageStore } from "../../src/index.ts"
import { SqliteClient } from "../../src/node/index.ts"

const BatchPlan = Schema.Struct({
  baseUrl: Schema.String,
  /** The file of a SQLite database, or the URL of a PostgreSQL database. */
  journal: Schema.String,
  store: Schema.String,
  concurrency: Schema.Int,
  lease: Schema.Finite,
  /** The file of the batch. If it is absent, the process calls `ImageBatch.worker` instead of `ImageBatch.run`. */
  file: Schema.optional(Schema.String)
})

const { baseUrl, concurrency, file, journal, lease, store } = Schema.decodeUnknownSync(
  Schema.fromJsonString(BatchPlan)
)(argv[2])

const sql = journal.startsWith("postgres:")
  ? PgClient.layer({ url: Redacted.make(journal) })
  : SqliteClient.layer({ filename: journal })

const layer = DurableImages.layer({ lease, checkStore: false }).pipe(
  Layer.provide(NodeImages.layer({ baseUrl, retry: RetryPolicy.chargeSafe })),
  Layer.provideMerge(GenerationJournal.layerSql().pipe(Layer.provide(sql))),
  Layer.provideMerge(ImageStore.layerFolder(store)),
  Layer.provideMerge(NodeServices.layer)
)

const progress = Stream.unwrap(
  Effect.gen(function* () {
    if (file === undefined) return ImageBatch.worker({ name: "otters", concurrency })
    const fs = yield* FileSystem.FileSystem
    const lines = fs.stream(file).pipe(Stream.decodeText(), Stream.splitLines)
    return ImageBatch.run({ name: "otters", concurrency, lines })
  })
)

progress.pipe(
  Stream.runForEach((now) => Console.log(JSON.stringify(now))),
  Effect.provide(layer),
  Effect.provide(Logger.layer([])),
  NodeRuntime.runMain
)
