import * as ImagesBudget from "@effect-gradient/core/ImagesBudget"
import * as ImagesFallback from "@effect-gradient/core/ImagesFallback"
import * as ImagesLimit from "@effect-gradient/core/ImagesLimit"
import * as ImagesTelemetry from "@effect-gradient/core/ImagesTelemetry"
import {
  DurableImages,
  GenerationJournal,
  ImageStore,
  SqlBudgetLedger,
  SqlRateLimiterStore
} from "@effect-gradient/durable"
import { SqliteClient } from "@effect-gradient/durable/node"
import { NodeImages } from "@effect-gradient/node"
import * as NodeServices from "@effect/platform-node/NodeServices"
import { Layer } from "effect"
import { RateLimiter } from "effect/persistence"
import { circuit } from "./circuit.ts"

/** A service with its key, and the model to request from it. */
export interface Endpoint {
  readonly name: string
  readonly client: NodeImages.Options
  readonly model: string
}

export interface Options {
  /**
   * An existing folder for the journal and the images. Processes with the same folder share the budget, the limit of
   * requests a minute and the idempotency keys. Each process has its own limit of requests under way.
   */
  readonly folder: string
  /** The endpoints, in the order in which they are tried. */
  readonly endpoints: ReadonlyArray<Endpoint>
  readonly dollarsADay: number
}

/** The most that one image of each model costs, in dollars, from your price list. */
const prices = { "openai-gpt-image-2": { perImage: 0.25 }, "openai-gpt-image-1.5": { perImage: 0.25 } }

/**
 * The layers of one endpoint. A call over the limit of the last endpoint waits. A call over the limit of another endpoint
 * fails at once, so that the fallback sends it to the next endpoint.
 */
const endpointOf = ({ client, name }: Endpoint, isLast: boolean) => {
  const onExceeded = isLast ? "delay" : "fail"
  return circuit.pipe(
    // The limit is inside the circuit breaker: a call that the open circuit refuses takes no place in the limit's queue. The
    // limit is inside the fallback: a 429 of one endpoint does not delay the calls of the others.
    Layer.provide(ImagesLimit.layer({ key: name, limit: 250, window: "1 minute", concurrency: 8, onExceeded })),
    // The innermost layer retries temporary failures that were not charged for. Each retry passes all limits and
    // budgets again.
    Layer.provide(NodeImages.layer(client))
  )
}

/**
 * `Images` with telemetry, a budget, durable calls, and a fallback over the endpoints, each with its circuit breaker and
 * limit.
 */
export const production = ({ dollarsADay, endpoints, folder }: Options) => {
  const sqlite = SqliteClient.layer({ filename: `${folder}/journal.db` })
  const ledger = SqlBudgetLedger.layer().pipe(Layer.provide(sqlite))
  const limiter = RateLimiter.layer.pipe(Layer.provide(SqlRateLimiterStore.layer()), Layer.provide(sqlite))
  const journal = GenerationJournal.layerSql().pipe(Layer.provide(sqlite))
  const store = ImageStore.layerFolder(`${folder}/images`).pipe(Layer.provide(NodeServices.layer))

  const entries = endpoints.map((endpoint, index) => ({
    layer: endpointOf(endpoint, index === endpoints.length - 1),
    model: endpoint.model
  }))
  // `DurableImages` is around the fallback: one record covers all endpoints, so that a key is not paid for at each of
  // them. It is around the circuit breaker: images that are stored are returned even while the service is down.
  const durable = DurableImages.layer().pipe(
    Layer.provide(ImagesFallback.layer(entries)),
    Layer.provide([limiter, journal, store])
  )
  // The budget is around the journal: if the process is killed after the budget reserved the cost and before the journal
  // recorded the attempt, the key is not in doubt.
  const budget = ImagesBudget.layer({ money: { limit: dollarsADay, prices }, window: "1 day" }).pipe(
    Layer.provide(ledger)
  )
  // Telemetry is the outermost layer: it also sees the requests that the budget refuses, and the time that attempts wait for
  // limits.
  const telemetry = ImagesTelemetry.layer({ prices }).pipe(Layer.provide(budget))
  return Layer.merge(telemetry, ImagesTelemetry.layerDoubts(DurableImages.doubts)).pipe(Layer.provideMerge(durable))
}
