/**
 * The prices that the caller sets for models. Checks them, and computes the cost of a request, for budgets and
 * telemetry.
 */
import * as Predicate from "effect/Predicate"
import * as Result from "effect/Result"
import type { Usage } from "../ImageGenerateResponse.ts"
import type { Attempt } from "./attempt/attemptModels.ts"
import { type Issue, show } from "./issue.ts"
import { type Checked, issuesOf, refuse } from "./request/checked.ts"

/**
 * The price of a model. `perImage` can be a function of the attempt, because size and quality can change the price.
 *
 * @category models
 * @since 0.1.0
 */
export interface Price {
  /**
   * The highest price of one image. It is also the actual price, unless the price is computed from tokens: see
   * `perOutputToken`.
   */
  readonly perImage: number | ((attempt: Attempt) => number)
  /**
   * The price of one output token. If it is set, and the reply's `usage` has the number of output tokens, the price of
   * the reply is computed from its tokens, not from `perImage`.
   */
  readonly perOutputToken?: number | undefined
  /**
   * The price of one input token. If the price of a reply is computed from its output tokens, the price of the input
   * tokens is added. Default: 0.
   */
  readonly perInputToken?: number | undefined
}

/** Prices by the names of their models. */
export type Prices = Readonly<Record<string, Price>>

/**
 * Checks that a value is a finite number of at least 0, and if `isWhole` is true, an integer. The type is checked too,
 * because the caller may use plain JavaScript.
 */
export const amount = (param: string, value: unknown, isWhole: boolean): Checked<number> =>
  Predicate.isNumber(value) && value >= 0 && (isWhole ? Number.isSafeInteger(value) : Number.isFinite(value))
    ? Result.succeed(value)
    : refuse(param, isWhole ? "an integer of at least 0" : "a number of at least 0", show(value))

const priceIssues = (param: string, price: Price): ReadonlyArray<Issue> => {
  if (!Predicate.isObject(price)) return [{ param, given: show(price), allowed: "an object with `perImage`" }]
  const { perImage, perInputToken = 0, perOutputToken = 0 } = price
  return issuesOf({
    perImage: Predicate.isFunction(perImage) ? Result.succeed(0) : amount(`${param}.perImage`, perImage, false),
    perInputToken: amount(`${param}.perInputToken`, perInputToken, false),
    perOutputToken: amount(`${param}.perOutputToken`, perOutputToken, false)
  })
}

/** Checks the prices in the option `param`. A `perImage` that is a function is not called here. */
export const checkedPrices = (param: string, prices: Prices | undefined): Checked<Prices> => {
  if (!Predicate.isObject(prices)) return refuse(param, "an object with a price for each model", show(prices))
  const issues = Object.entries(prices).flatMap(([model, price]) => priceIssues(`${param}.${model}`, price))
  return issues.length > 0 ? Result.fail(issues) : Result.succeed(prices)
}

export const priceOf = (prices: Prices | undefined, { params: { model } }: Attempt): Price | undefined =>
  prices !== undefined && Object.hasOwn(prices, model) ? prices[model] : undefined

/**
 * The highest price of one image of this attempt. If `perImage` is a function and returns anything but a finite number
 * of at least 0, its result is refused.
 */
export const imagePrice = (param: string, { perImage }: Price, attempt: Attempt): Checked<number> =>
  amount(
    `${param}.${attempt.params.model}.perImage`,
    Predicate.isFunction(perImage) ? perImage(attempt) : perImage,
    false
  )

/**
 * The cost of a reply's tokens. `undefined` if `perOutputToken` is not set, or if the reply has no count of output
 * tokens.
 */
export const tokensCost = (price: Price | undefined, usage: Usage | undefined): number | undefined => {
  if (price?.perOutputToken === undefined || usage?.outputTokens === undefined) return undefined
  return usage.outputTokens * price.perOutputToken + usage.inputTokens * (price.perInputToken ?? 0)
}
