/**
 * A process that makes calls under a rate limit that it shares with other processes. It prints how many calls
 * succeeded.
 *
 * Its one argument is JSON: see `LimitedPlan`.
 */
import * as ImagesLimit from "@effect-gradient/core/ImagesLimit"
import { Images, RetryPolicy } from "@effect-gradient/core"
import { NodeImages } from "@effect-gradient/node"
import * as NodeRedis from "@effect/platform-node/NodeRedis"
import * as PgClient from "@effect/sql-pg/PgClient"
import * as Console from "effect/Console"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import * as RateLimiter from "effect/persistence/RateLimiter"
import * as Redacted from "effect/Redacted"
import * as Schema from "effect/Schema"
import { argv } from "node:process"
import { SqlRateLimiterStore } from "../../src/index.ts"
import { SqliteClient } from "../../src/node/index.ts"

const LimitedPlan = Schema.Struct({
  baseUrl: Schema.String,
  /** The URL of a Redis (`redis://...`) or PostgreSQL (`postgres://...`) server, or the file of a SQLite database. */
  store: Schema.String,
  algorithm: Schema.Literals(["fixed-window", "token-bucket"]),
  limit: Schema.Int,
  calls: Schema.Int
})

const { algorithm, baseUrl, calls, limit, store } = Schema.decodeUnknownSync(Schema.fromJsonString(LimitedPlan))(
  argv[2]
)

const sql = store.startsWith("postgres:")
  ? PgClient.layer({ url: Redacted.make(store) })
  : SqliteClient.layer({ filename: store })

const stored: Layer.Layer<RateLimiter.RateLimiterStore, unknown> = store.startsWith("redis:")
  ? RateLimiter.layerStoreRedis().pipe(Layer.provide(NodeRedis.layer({ url: store })))
  : SqlRateLimiterStore.layer().pipe(Layer.provide(sql))

const layer = ImagesLimit.layer({ limit, window: "10 minutes", algorithm, onExceeded: "fail" }).pipe(
  Layer.provide([NodeImages.layer({ baseUrl, retry: RetryPolicy.none }), RateLimiter.layer.pipe(Layer.provide(stored))])
)

const call = Images.generate({ prompt: "a sea otter" }).pipe(
  Effect.as(1),
  Effect.catchReason("GradientError", "RateLimitError", () => Effect.succeed(0))
)

await Effect.forEach(Array.from({ length: calls }), () => call, { concurrency: 8 }).pipe(
  Effect.flatMap((counts) => Console.log(counts.reduce((sum, count) => sum + count, 0))),
  Effect.provide(layer),
  Effect.runPromise
)
