/**
 * Rate limits, as the headers of a response give them.
 */
import * as DateTime from "effect/DateTime"
import * as Schema from "effect/Schema"
import { optional } from "./internal/schemaFields.ts"

/**
 * One limit: how much is allowed until it is reset.
 *
 * @category models
 */
export const Window = Schema.Struct({
  /** How many are allowed until the reset. */
  limit: optional(Schema.Finite),
  /** How many of them are left. */
  remaining: optional(Schema.Finite),
  /** When the limit is reset; absent if the service foresees no wait. */
  resetAt: optional(Schema.DateTimeUtc)
})

/** @category models */
export type Window = typeof Window.Type

/**
 * The limits that apply to a key. The three fields of the limit on requests are at the top; the limits on tokens are
 * beside them, and are absent if the service sent none. Read from `x-ratelimit-{limit,remaining,reset}-requests`,
 * `-tokens-per-minute` and `-tokens-per-day`; the limit on requests else from `ratelimit-{limit,remaining,reset}`.
 *
 * @category models
 */
export const RateLimit = Schema.Struct({
  ...Window.fields,
  /** Tokens, of prompts and images, within a minute. */
  tokensPerMinute: optional(Window),
  /** Tokens within a day. */
  tokensPerDay: optional(Window)
})

/** @category models */
export type RateLimit = typeof RateLimit.Type

/**
 * The soonest reset of the limits.
 *
 * @category getters
 */
export const nextReset = ({ resetAt, tokensPerDay, tokensPerMinute }: RateLimit): DateTime.Utc | undefined =>
  [resetAt, tokensPerMinute?.resetAt, tokensPerDay?.resetAt]
    .filter((reset) => reset !== undefined)
    .reduce<DateTime.Utc | undefined>(
      (soonest, reset) => (soonest === undefined ? reset : DateTime.min(soonest, reset)),
      undefined
    )
