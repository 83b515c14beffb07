/**
 * What the rate limit headers of a response say.
 */
import * as Schema from "effect/Schema"
import { optional } from "./internal/schemaFields.ts"

/**
 * What the rate limit headers of a reply said (`ratelimit-*`, else `x-ratelimit-*-requests`).
 *
 * @category models
 */
export const RateLimit = Schema.Struct({
  /** Requests allowed in the window. */
  limit: optional(Schema.Finite),
  /** Requests left in it. */
  remaining: optional(Schema.Finite),
  /** When it starts anew. */
  resetAt: optional(Schema.DateTimeUtc)
})

/** @category models */
export type RateLimit = typeof RateLimit.Type
