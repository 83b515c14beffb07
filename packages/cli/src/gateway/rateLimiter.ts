/**
 * Provides the rate limiter that counts the images of each caller: in this process, or, if `REDIS_URL` is set, in Redis
 * for all processes of the gateway together.
 */
import * as Config from "effect/Config"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import * as Option from "effect/Option"
import { RateLimiter } from "effect/persistence"
import * as Redacted from "effect/Redacted"
import { StartError } from "./StartError.ts"

const config = Config.option(Config.Redacted("REDIS_URL"))

const isRedis = (url: string) => URL.canParse(url) && ["redis:", "rediss:"].includes(new URL(url).protocol)

/** Makes the error of a failed connection to Redis. Its message does not show the URL, which may contain a password. */
const unreachable = (cause: unknown) =>
  new StartError({
    problem: `The Redis of REDIS_URL cannot be used: ${cause instanceof Error ? cause.message : String(cause)}`
  })

/** Makes the connection to Redis. The client is loaded only if `REDIS_URL` is set, because loading it takes time. */
const redis = (url: string) =>
  Layer.unwrap(
    Effect.map(
      Effect.promise(() => import("@effect/platform-node/NodeRedis")),
      // If Redis cannot be reached, a request must fail at once. With its offline queue, the client would let the
      // request wait.
      (NodeRedis) => NodeRedis.layer({ url, disableOfflineQueue: true })
    )
  ).pipe(Layer.catchTag("RedisError", ({ cause }) => Layer.effectContext(Effect.fail(unreachable(cause)))))

const store = Layer.unwrap(
  Effect.gen(function* () {
    const url = Option.map(yield* config, Redacted.value)
    if (Option.isNone(url)) return RateLimiter.layerStoreMemory
    if (!isRedis(url.value)) return yield* new StartError({ problem: "REDIS_URL must be redis://... or rediss://..." })
    return RateLimiter.layerStoreRedis({ prefix: "gradient-images:" }).pipe(Layer.provide(redis(url.value)))
  })
)

export const layer = RateLimiter.layer.pipe(Layer.provide(store))
