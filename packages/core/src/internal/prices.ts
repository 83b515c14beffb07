/**
 * The caller's prices: how they are checked, and what a request costs by them. For budgets and telemetry.
 */
import * as Predicate from "effect/Predicate"
import * as Result from "effect/Result"
import type { Usage } from "../ImageGenerateResponse.ts"
import type { Attempt } from "./attempt/attemptModels.ts"
import { type Issue, show } from "./issue.ts"
import { type Checked, issuesOf, refuse } from "./request/checked.ts"

/**
 * The price of a model. A price that is a function sees the request, because size and quality can change it.
 *
 * @category models
 * @since 0.1.0
 */
export interface Price {
  /** The highest price of one image. It is the actual price too, unless `perOutputToken` is set and the reply has `usage`. */
  readonly perImage: number | ((attempt: Attempt) => number)
  /** The price of one output token. If set, the actual price is computed from the reply's `usage`. */
  readonly perOutputToken?: number | undefined
  /** The price of one input token, which is added to that of output tokens. Default: 0. */
  readonly perInputToken?: number | undefined
}

/** The price of each model. */
export type Prices = Readonly<Record<string, Price>>

/** The amount if it is a number of at least 0. Types are checked too, because the caller may use plain JavaScript. */
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

/** The prices in the option `param`. Functions are checked when they are called. */
export const checkedPrices = (param: string, prices: Prices | undefined): Checked<Prices> => {
  if (!Predicate.isObject(prices)) return refuse(param, "an object with a price for each model", show(prices))
  const issues = Object.entries(prices).flatMap(([model, price]) => priceIssues(`${param}.${model}`, price))
  return issues.length > 0 ? Result.fail(issues) : Result.succeed(prices)
}

/** The price of the attempt's model. */
export const priceOf = (prices: Prices | undefined, { params: { model } }: Attempt): Price | undefined =>
  prices !== undefined && Object.hasOwn(prices, model) ? prices[model] : undefined

/** The highest price of one image of this attempt. Refuses the result of a function that is not an amount. */
export const imagePrice = (param: string, { perImage }: Price, attempt: Attempt): Checked<number> =>
  amount(
    `${param}.${attempt.params.model}.perImage`,
    Predicate.isFunction(perImage) ? perImage(attempt) : perImage,
    false
  )

/** The cost of a reply's tokens. Undefined if the price is not by tokens, or if the reply has no token counts. */
export const tokensCost = (price: Price | undefined, usage: Usage | undefined): number | undefined => {
  if (price?.perOutputToken === undefined || usage?.outputTokens === undefined) return undefined
  return usage.outputTokens * price.perOutputToken + usage.inputTokens * (price.perInputToken ?? 0)
}
