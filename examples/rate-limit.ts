import * as ImagesLimit from "@effect-gradient/core/ImagesLimit"
import { Layer } from "effect"
import { RateLimiter } from "effect/persistence"

/**
 * A rate limiter that counts in this process. With a store in Redis, or in the journal's database, it would count over all
 * processes with that store.
 */
const inMemory = RateLimiter.layer.pipe(Layer.provide(RateLimiter.layerStoreMemory))

/**
 * Wraps a layer with `Images`: on average at most 250 requests a minute are sent, and at most 8 are under way at once.
 * Other requests wait.
 */
export const limited = ImagesLimit.layer({ limit: 250, window: "1 minute", concurrency: 8 }).pipe(
  Layer.provide(inMemory)
)
