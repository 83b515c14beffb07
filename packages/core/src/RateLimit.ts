/**
 * The service's rate limits, read from the headers of a response.
 */
import * as DateTime from "effect/DateTime"
import * as Schema from "effect/Schema"
import { optional } from "./internal/schemaFields.ts"

/**
 * One rate limit, on requests or on tokens.
 *
 * @category models
 * @since 0.1.0
 */
export const Window = Schema.Struct({
  /** How many requests or tokens are allowed in total between two resets. */
  limit: optional(Schema.Finite),
  /** How many requests or tokens are left until the reset. */
  remaining: optional(Schema.Finite),
  /** When the limit is reset. Absent if the service sends no valid time, or sends 0 because no wait is needed. */
  resetAt: optional(Schema.DateTimeUtc)
})

/**
 * @category models
 * @since 0.1.0
 */
export type Window = typeof Window.Type

/**
 * The rate limits that a response names. `limit`, `remaining` and `resetAt` are for the limit on requests. The limits
 * on tokens are absent if the service does not send them.
 *
 * The limits are read from the headers `x-ratelimit-{limit,remaining,reset}-requests`, `-tokens-per-minute` and
 * `-tokens-per-day`. If there is none for requests, that limit is read from `ratelimit-{limit,remaining,reset}`.
 *
 * @category models
 * @since 0.1.0
 */
export const RateLimit = Schema.Struct({
  ...Window.fields,
  /** The limit on the tokens of prompts and images within a minute. */
  tokensPerMinute: optional(Window),
  /** The limit on the tokens of prompts and images within a day. */
  tokensPerDay: optional(Window)
})

/**
 * @category models
 * @since 0.1.0
 */
export type RateLimit = typeof RateLimit.Type

/**
 * The names of the headers of each limit, as functions. Their argument is `limit`, `remaining` or `reset`.
 * `controlPlane` has the names that the provider's other APIs use.
 *
 * @category wire
 * @since 0.1.0
 */
export const headerNames = {
  requests: (field: string) => `x-ratelimit-${field}-requests`,
  tokensPerMinute: (field: string) => `x-ratelimit-${field}-tokens-per-minute`,
  tokensPerDay: (field: string) => `x-ratelimit-${field}-tokens-per-day`,
  controlPlane: (field: string) => `ratelimit-${field}`
} as const

/**
 * The earliest time at which one of the limits is reset. `undefined` if no limit has such a time.
 *
 * @category getters
 * @since 0.1.0
 */
export const nextReset = ({ resetAt, tokensPerDay, tokensPerMinute }: RateLimit): DateTime.Utc | undefined =>
  [resetAt, tokensPerMinute?.resetAt, tokensPerDay?.resetAt]
    .filter((reset) => reset !== undefined)
    .reduce<DateTime.Utc | undefined>(
      (soonest, reset) => (soonest === undefined ? reset : DateTime.min(soonest, reset)),
      undefined
    )
