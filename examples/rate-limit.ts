import * as ImagesLimit from "@effect-gradient/core/ImagesLimit"
import { Layer } from "effect"
import { RateLimiter } from "effect/persistence"

/** Counts in this process. A store in Redis, or in the journal's database, counts over all processes. */
const inMemory = RateLimiter.layer.pipe(Layer.provide(RateLimiter.layerStoreMemory))

/** Wraps a layer with `Images`: at most 250 requests a minute, and 8 at once. The others wait. */
export const limited = ImagesLimit.layer({ limit: 250, window: "1 minute", concurrency: 8 }).pipe(
  Layer.provide(inMemory)
)
