import * as ImagesLimit from "@effect-gradient/core/ImagesLimit"
import { SqlRateLimiterStore } from "@effect-gradient/durable"
import { SqliteClient } from "@effect-gradient/durable/node"
import { Layer } from "effect"
import { RateLimiter } from "effect/persistence"

/**
 * Wraps a layer with `Images`: all processes that use this database together send at most 250 requests a minute on
 * average. `layerStoreRedis` would count in Redis instead.
 */
export const limited = (filename: string) =>
  ImagesLimit.layer({ limit: 250, window: "1 minute" }).pipe(
    Layer.provide(RateLimiter.layer),
    Layer.provide(SqlRateLimiterStore.layer()),
    Layer.provide(SqliteClient.layer({ filename }))
  )
