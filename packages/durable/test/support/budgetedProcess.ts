/**
 * A process that makes calls under a budget that it shares with other processes. It prints how many calls succeeded.
 *
 * Its one argument is JSON: see `BudgetedPlan`.
 */
import * as ImagesBudget from "@effect-gradient/core/ImagesBudget"
import { Images, RetryPolicy } from "@effect-gradient/core"
import { NodeImages } from "@effect-gradient/node"
import * as PgClient from "@effect/sql-pg/PgClient"
import * as Console from "effect/Console"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import * as Redacted from "effect/Redacted"
import * as Schema from "effect/Schema"
import { argv } from "node:process"
import { SqlBudgetLedger } from "../../src/index.ts"
import { SqliteClient } from "../../src/node/index.ts"

const BudgetedPlan = Schema.Struct({
  baseUrl: Schema.String,
  /** The URL of a PostgreSQL database (`postgres://...`), or the file of a SQLite database. */
  ledger: Schema.String,
  images: Schema.Int,
  calls: Schema.Int,
  /** The number of images of each call. */
  n: Schema.Int
})

const plan = Schema.decodeUnknownSync(Schema.fromJsonString(BudgetedPlan))(argv[2])

const sql = plan.ledger.startsWith("postgres:")
  ? PgClient.layer({ url: Redacted.make(plan.ledger) })
  : SqliteClient.layer({ filename: plan.ledger })

const layer = ImagesBudget.layer({ images: plan.images }).pipe(
  Layer.provide([
    NodeImages.layer({ baseUrl: plan.baseUrl, retry: RetryPolicy.none }),
    SqlBudgetLedger.layer().pipe(Layer.provide(sql))
  ])
)

const call = Images.generate({ prompt: "a sea otter", n: plan.n }).pipe(
  Effect.as(1),
  Effect.catchReason("GradientError", "BudgetExceededError", () => Effect.succeed(0))
)

await Effect.forEach(Array.from({ length: plan.calls }), () => call, { concurrency: 8 }).pipe(
  Effect.flatMap((counts) => Console.log(counts.reduce((sum, count) => sum + count, 0))),
  Effect.provide(layer),
  Effect.runPromise
)
