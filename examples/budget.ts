import * as ImagesBudget from "@effect-gradient/core/ImagesBudget"
import { SqlBudgetLedger } from "@effect-gradient/durable"
import { SqliteClient } from "@effect-gradient/durable/node"
import { Layer } from "effect"

/** The most that one image of a model costs, and what a token costs, as your price list has it. */
const prices = { "openai-gpt-image-2": { perImage: 0.25, perOutputToken: 0.00003, perInputToken: 0.000005 } }

/** Wraps a layer with `Images`: at most 20 dollars a day, over all processes with this journal. */
export const budgeted = (journal: string) =>
  ImagesBudget.layer({ money: { limit: 20, prices }, window: "1 day" }).pipe(
    Layer.provide(SqlBudgetLedger.layer()),
    Layer.provide(SqliteClient.layer({ filename: journal }))
  )
