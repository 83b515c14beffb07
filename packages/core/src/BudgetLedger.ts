/**
 * Counts how much of a budget the requests have used: images, output tokens and money. Before each request,
 * `ImagesBudget` reserves here the most that the request may use. Afterwards, it replaces that amount by what the
 * request used, if that is known.
 *
 * `layerMemory` counts for one process. `SqlBudgetLedger` of `@effect-gradient/durable` counts for all processes that
 * use the same database.
 */
import * as Clock from "effect/Clock"
import * as Context from "effect/Context"
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import type { ConnectionError } from "./GradientError.ts"

/**
 * Amounts that a budget counts. Every field should be an integer, so that sums are exact.
 *
 * @category models
 * @since 0.1.0
 */
export interface Amounts {
  readonly images: number
  readonly outputTokens: number
  /** Money in millionths of one unit of the currency: 1000000 is one dollar, if prices are in dollars. */
  readonly money: number
}

/**
 * @category models
 * @since 0.1.0
 */
export interface Request {
  /** The name of the budget. Requests with the same name are counted together. */
  readonly key: string
  readonly amounts: Amounts
  /** The limits of the budget. A limit that is not set is `Number.MAX_SAFE_INTEGER`. */
  readonly limits: Amounts
  /**
   * How long a window lasts. When it has ended, the count starts again at 0. `undefined`: the count never starts again.
   */
  readonly window: Duration.Duration | undefined
}

/**
 * @category models
 * @since 0.1.0
 */
export interface Reservation {
  readonly isReserved: boolean
  /** The amounts counted in this window, including the requested ones if `isReserved` is true. */
  readonly used: Amounts
  /** When the window started, in milliseconds since 1970. It identifies the window in `settle`. */
  readonly since: number
}

/**
 * @category models
 * @since 0.1.0
 */
export interface Settlement {
  readonly key: string
  /** The `since` that `reserve` returned. If a later window has started, `settle` changes nothing. */
  readonly since: number
  readonly reserved: Amounts
  /** The amounts that the request used. Zeros give back the whole reservation. */
  readonly used: Amounts
}

/**
 * Counts the amounts that requests use, by the name of the budget. `reserve` and `settle` are atomic.
 *
 * @category services
 * @since 0.1.0
 */
export class BudgetLedger extends Context.Service<
  BudgetLedger,
  {
    /**
     * Adds the amounts to the count, unless a limit would be exceeded. Without a later `settle`, they remain counted
     * until the window ends.
     */
    readonly reserve: (request: Request) => Effect.Effect<Reservation, ConnectionError>
    /** Replaces the reserved amounts in the count by the amounts that were used, unless a later window has started. */
    readonly settle: (settlement: Settlement) => Effect.Effect<void, ConnectionError>
  }
>()("@effect-gradient/core/BudgetLedger") {}

/**
 * @category constructors
 * @since 0.1.0
 */
export const nothing: Amounts = { images: 0, outputTokens: 0, money: 0 }

/**
 * @category combinators
 * @since 0.1.0
 */
export const add = (a: Amounts, b: Amounts): Amounts => ({
  images: a.images + b.images,
  outputTokens: a.outputTokens + b.outputTokens,
  money: a.money + b.money
})

/**
 * @category combinators
 * @since 0.1.0
 */
export const subtract = (a: Amounts, b: Amounts): Amounts => ({
  images: a.images - b.images,
  outputTokens: a.outputTokens - b.outputTokens,
  money: a.money - b.money
})

/**
 * Whether no amount is above its limit.
 *
 * @category guards
 * @since 0.1.0
 */
export const isWithin = (amounts: Amounts, limits: Amounts): boolean =>
  amounts.images <= limits.images && amounts.outputTokens <= limits.outputTokens && amounts.money <= limits.money

interface Count {
  readonly used: Amounts
  readonly since: number
}

const makeMemory = Effect.sync(() => {
  const counts = new Map<string, Count>()

  const currentCount = ({ key, window }: Request, now: number): Count => {
    const count = counts.get(key)
    const isCurrent = count !== undefined && (window === undefined || now < count.since + Duration.toMillis(window))
    return isCurrent ? count : { used: nothing, since: now }
  }
  return BudgetLedger.of({
    reserve: (request) =>
      Effect.map(Clock.currentTimeMillis, (now) => {
        const { since, used } = currentCount(request, now)
        const sum = add(used, request.amounts)
        if (!isWithin(sum, request.limits)) return { isReserved: false, used, since }
        counts.set(request.key, { used: sum, since })
        return { isReserved: true, used: sum, since }
      }),
    settle: ({ key, reserved, since, used }) =>
      Effect.sync(() => {
        const count = counts.get(key)
        if (count?.since !== since) return
        counts.set(key, { used: add(subtract(count.used, reserved), used), since })
      })
  })
})

/**
 * Counts in the memory of one process. The count starts at 0 each time that the layer is built.
 *
 * @category layers
 * @since 0.1.0
 */
export const layerMemory: Layer.Layer<BudgetLedger> = Layer.effect(BudgetLedger, makeMemory)
