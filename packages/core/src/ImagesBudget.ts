/**
 * Limits how many images, how many output tokens and how much money the requests may use, within a time window or in
 * total. Before a request is sent, the most that it may use is reserved in the budget. If that would exceed the budget,
 * the request is not sent, and the call fails with `BudgetExceededError`. After the request:
 *
 * - If the whole reply arrived, the reservation is replaced by what was used, as far as the reply shows it.
 * - If the request failed or was interrupted, and may have been charged for, the whole reservation remains counted. If
 *   the process is killed, it remains counted in `SqlBudgetLedger`; `layerMemory` starts again at 0.
 * - If the request was not charged for, the reservation is given back.
 *
 * This module is not part of the index, so that a program without a budget does not load it.
 *
 * @example
 * ```ts
 * import * as BudgetLedger from "@effect-gradient/core/BudgetLedger"
 * import * as ImagesBudget from "@effect-gradient/core/ImagesBudget"
 * import { NodeImages } from "@effect-gradient/node"
 * import { Layer } from "effect"
 *
 * const layer = ImagesBudget.layer({ images: 100, window: "1 day" }).pipe(
 *   Layer.provide([NodeImages.layerFromConfig(), BudgetLedger.layerMemory])
 * )
 * ```
 */
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import type * as Layer from "effect/Layer"
import * as Result from "effect/Result"
import * as Attempt from "./Attempt.ts"
import * as BudgetLedger from "./BudgetLedger.ts"
import * as GradientError from "./GradientError.ts"
import type { Images } from "./Images.ts"
import { amount, checkedPrices, imagePrice, priceOf, type Prices, tokensCost } from "./internal/prices.ts"
import { duration } from "./internal/request/checks.ts"
import { type Checked, issuesOf, refuse } from "./internal/request/checked.ts"
import { invalidParams } from "./internal/request/invalidParams.ts"

export type { Price } from "./internal/prices.ts"

type Reason = GradientError.GradientErrorReason

/**
 * Options of the budget. At least one of `images`, `outputTokens` and `money` must be set.
 *
 * @category models
 * @since 0.1.0
 */
export interface Options {
  /** The most images that may be generated. */
  readonly images?: number | undefined
  /**
   * `limit`: the most output tokens that may be used. `perImage`: how many output tokens are reserved for each image.
   * It should be the most that one image can take.
   */
  readonly outputTokens?: { readonly limit: number; readonly perImage: number } | undefined
  /**
   * `limit`: the most money that may be spent, in any currency. `prices`: the price of each model, in the same
   * currency. A call of a model without a price fails. Amounts are rounded to millionths.
   */
  readonly money?: { readonly limit: number; readonly prices: Prices } | undefined
  /**
   * How long the limits apply, from the first request. Then the count starts again at 0. Default: it never starts
   * again.
   */
  readonly window?: Duration.Input | undefined
  /**
   * The name of the count in the ledger. Processes that use the same ledger and the same name share a budget. Default:
   * `images`.
   */
  readonly key?: string | undefined
}

interface Budget {
  readonly key: string
  readonly limits: BudgetLedger.Amounts
  readonly tokensPerImage: number
  readonly prices: Prices | undefined
  readonly window: Duration.Duration | undefined
}

const millionths = (money: number) => Math.round(money * 1e6)

const unlimited = Number.MAX_SAFE_INTEGER

const count = (param: string, value: unknown, isSet: boolean): Checked<number> =>
  isSet ? amount(param, value, true) : Result.succeed(unlimited)

const moneyLimit = (limit: unknown): Checked<number> =>
  Result.map(amount("money.limit", limit, false), (money) => Math.min(unlimited, millionths(money)))

const checked = (options: Options): Effect.Effect<Budget, GradientError.GradientError> => {
  const { images, key = "images", money, outputTokens, window } = options
  const isAnySet = images !== undefined || outputTokens !== undefined || money !== undefined
  const parts = {
    images: count("images", images, images !== undefined),
    outputTokens: count("outputTokens.limit", outputTokens?.limit, outputTokens !== undefined),
    perImage: amount("outputTokens.perImage", (outputTokens ?? { perImage: 0 }).perImage, true),
    money: money === undefined ? Result.succeed(unlimited) : moneyLimit(money?.limit),
    prices: money === undefined ? Result.succeed(undefined) : checkedPrices("money.prices", money?.prices),
    window: window === undefined ? Result.succeed(undefined) : duration("window", window, Duration.infinity),
    any: isAnySet ? Result.succeed(undefined) : refuse("images, outputTokens or money", "set", "none of them")
  }
  const all = Result.all(parts)
  if (Result.isFailure(all)) return GradientError.fromReason(invalidParams(issuesOf(parts)))
  const { success } = all
  const limits = { images: success.images, outputTokens: success.outputTokens, money: success.money }
  return Effect.succeed({
    key,
    limits,
    tokensPerImage: success.perImage,
    prices: success.prices,
    window: success.window
  })
}

/**
 * The highest price of one image, in the currency of `money`; 0 if money is not limited. Fails if the model has no
 * price, or if its price is a function that returns an invalid price.
 */
const pricePerImageOf = ({ prices }: Budget, attempt: Attempt.Attempt): Effect.Effect<number, Reason> => {
  if (prices === undefined) return Effect.succeed(0)
  const price = priceOf(prices, attempt)
  const result =
    price === undefined
      ? refuse(`money.prices.${attempt.params.model}`, "set: the budget needs the price of each model", "nothing")
      : imagePrice("money.prices", price, attempt)
  return Result.isSuccess(result) ? Effect.succeed(result.success) : Effect.fail(invalidParams(result.failure))
}

/** The most that a request for this number of images may use. */
const ofImages = (budget: Budget, images: number, pricePerImage: number): BudgetLedger.Amounts => ({
  images,
  outputTokens: images * budget.tokensPerImage,
  money: millionths(images * pricePerImage)
})

interface Reserved {
  readonly since: number
  readonly amounts: BudgetLedger.Amounts
  readonly pricePerImage: number
}

type Completed = Extract<Attempt.Outcome, { readonly _tag: "Completed" }>

/**
 * What a complete reply used. If the reply has no count of output tokens, each image counts with the reserved tokens.
 * Without that count or the price `perOutputToken`, each image counts with the price `perImage`.
 */
const usedBy = (budget: Budget, attempt: Attempt.Attempt, reserved: Reserved, { images, usage }: Completed) => {
  // If a gateway passes the reply on without decoding it, the number of images is unknown, so the reserved amounts are
  // taken.
  const worst = images.length === 0 ? reserved.amounts : ofImages(budget, images.length, reserved.pricePerImage)
  if (usage?.outputTokens === undefined) return worst
  const cost = tokensCost(priceOf(budget.prices, attempt), usage)
  return {
    ...worst,
    // A ledger stores whole numbers up to `unlimited`.
    outputTokens: Math.min(unlimited, Math.ceil(usage.outputTokens)),
    money: cost === undefined ? worst.money : Math.min(unlimited, millionths(cost))
  }
}

/**
 * The amounts that remain counted after an attempt. If its reply is not complete, and it may have been charged for, the
 * whole reservation remains.
 */
const countedAfter = (
  budget: Budget,
  attempt: Attempt.Attempt,
  reserved: Reserved,
  outcome: Attempt.Outcome
): BudgetLedger.Amounts => {
  if (outcome._tag === "Completed") return usedBy(budget, attempt, reserved, outcome)
  const isUncharged = outcome._tag === "NotSent" || (outcome._tag === "Failed" && !outcome.reason.mayHaveBeenCharged)
  return isUncharged ? BudgetLedger.nothing : reserved.amounts
}

/** The names of amounts in messages. Money has no unit, because the caller chooses the currency. */
const names = { images: "images", outputTokens: "output tokens", money: "in money" } as const

const exceeded = ({ limits, window }: Budget, amounts: BudgetLedger.Amounts, used: BudgetLedger.Amounts): Reason => {
  const isExceeded = (each: keyof typeof names) => used[each] + amounts[each] > limits[each]
  const of = isExceeded("images") ? "images" : isExceeded("outputTokens") ? "outputTokens" : "money"
  const unit = of === "money" ? 1e6 : 1
  const limit = limits[of] / unit
  const left = Math.max(0, limits[of] - used[of]) / unit
  const requested = amounts[of] / unit
  const time = window === undefined ? "" : ` for this window of ${Duration.format(window)}`
  return new GradientError.BudgetExceededError({
    description: `it may use ${requested} ${names[of]}, and only ${left} of ${limit} is left${time}`,
    of,
    limit,
    left,
    requested,
    window
  })
}

const makeEntry = Effect.fnUntraced(function* (options: Options) {
  const budget = yield* checked(options)
  const ledger = yield* BudgetLedger.BudgetLedger
  const { key, limits, window } = budget
  const reservations = new WeakMap<Attempt.Attempt, Reserved>()

  // The reservation is made in `begin`, not in `wait`: if the process is killed while it waits for a limit, nothing
  // remains counted.
  const begin = Effect.fnUntraced(function* (attempt: Attempt.Attempt): Effect.fn.Return<void, Reason> {
    const pricePerImage = yield* pricePerImageOf(budget, attempt)
    const amounts = ofImages(budget, attempt.params.n, pricePerImage)
    const { isReserved, since, used } = yield* ledger.reserve({ key, amounts, limits, window })
    if (!isReserved) return yield* Effect.fail(exceeded(budget, amounts, used))
    reservations.set(attempt, { since, amounts, pricePerImage })
  }, Effect.uninterruptible)

  const end = (attempt: Attempt.Attempt, outcome: Attempt.Outcome) => {
    const reserved = reservations.get(attempt)
    if (reserved === undefined) return Effect.void
    const used = countedAfter(budget, attempt, reserved, outcome)
    return ledger.settle({ key, since: reserved.since, reserved: reserved.amounts, used }).pipe(
      // If the ledger fails here, the call does not fail. The whole reservation remains counted, so that the budget is
      // not exceeded.
      Effect.catch((reason) =>
        Effect.logWarning("The budget ledger failed, so an attempt counts with the most that it may have used", reason)
      )
    )
  }
  const entry: Attempt.Entry = { begin, end }
  return entry
})

/**
 * Limits what all calls through this layer may use together. Fails with `InvalidParamsError` if an option cannot be
 * used.
 *
 * @category layers
 * @since 0.1.0
 */
export const layer = (
  options: Options
): Layer.Layer<Images, GradientError.GradientError, Images | BudgetLedger.BudgetLedger> =>
  Attempt.layerEffect(makeEntry(options))
