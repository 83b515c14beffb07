import * as ImagesBudget from "@effect-gradient/core/ImagesBudget"
import { SqlBudgetLedger } from "@effect-gradient/durable"
import { SqliteClient } from "@effect-gradient/durable/node"
import { Layer } from "effect"

/**
 * Prices in dollars, from your price list: the most that one image of the model can cost, and the price of one output
 * token and of one input token.
 */
const prices = { "openai-gpt-image-2": { perImage: 0.25, perOutputToken: 0.00003, perInputToken: 0.000005 } }

/**
 * Wraps a layer with `Images`: in each window of 1 day, all processes with this journal together spend at most 20
 * dollars, by these prices.
 */
export const budgeted = (journal: string) =>
  ImagesBudget.layer({ money: { limit: 20, prices }, window: "1 day" }).pipe(
    Layer.provide(SqlBudgetLedger.layer()),
    Layer.provide(SqliteClient.layer({ filename: journal }))
  )
