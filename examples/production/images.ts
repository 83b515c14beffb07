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

/** A service with its key, and the model to ask it for. */
export interface Endpoint {
  readonly name: string
  readonly client: NodeImages.Options
  readonly model: string
}

export interface Options {
  /** An existing folder for the journal and the images. Processes with the same folder share budget, limits and keys. */
  readonly folder: string
  /** They are tried in order. */
  readonly endpoints: ReadonlyArray<Endpoint>
  readonly dollarsADay: number
}

/** The most that one image of each model costs, as your price list has it. */
const prices = { "openai-gpt-image-2": { perImage: 0.25 }, "openai-gpt-image-1.5": { perImage: 0.25 } }

/** One endpoint. Only the last one makes calls over its limit wait: before, the next endpoint is asked instead. */
const endpointOf = ({ client, name }: Endpoint, isLast: boolean) => {
  const onExceeded = isLast ? "delay" : "fail"
  return circuit.pipe(
    // Inside the circuit breaker: a call that is refused takes no place in the queue.
    // Inside the fallback: a 429 of one endpoint does not hold up the others.
    Layer.provide(ImagesLimit.layer({ key: name, limit: 250, window: "1 minute", concurrency: 8, onExceeded })),
    // The innermost layer repeats what was not charged for. Each of these attempts passes all limits and budgets.
    Layer.provide(NodeImages.layer(client))
  )
}

/** `Images` with all layers, from the outermost to the innermost. */
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
  // Around the fallback: one record covers all endpoints, so a key is paid for once.
  // Around the circuit breaker: what is stored is returned even while the service is down.
  const durable = DurableImages.layer().pipe(
    Layer.provide(ImagesFallback.layer(entries)),
    Layer.provide([limiter, journal, store])
  )
  // Around the journal: if the process is killed between reserving and recording, the key is not in doubt.
  const budget = ImagesBudget.layer({ money: { limit: dollarsADay, prices }, window: "1 day" }).pipe(
    Layer.provide(ledger)
  )
  // The outermost layer: it also sees the requests that the budget refuses, and the waits for limits.
  const telemetry = ImagesTelemetry.layer({ prices }).pipe(Layer.provide(budget))
  return Layer.merge(telemetry, ImagesTelemetry.layerDoubts(DurableImages.doubts)).pipe(Layer.provideMerge(durable))
}
