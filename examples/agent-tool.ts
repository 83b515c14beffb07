import * as BudgetLedger from "@effect-gradient/core/BudgetLedger"
import * as ImagesBudget from "@effect-gradient/core/ImagesBudget"
import * as ImageTool from "@effect-gradient/core/ImageTool"
import { ImageFile } from "@effect-gradient/node"
import { Layer } from "effect"
import { LanguageModel } from "effect/ai"

/** Around `Images`: the model may generate 20 images an hour, which are kept as files in this folder. */
export const tools = (folder: string) =>
  ImageTool.layer((image) => ImageFile.write(image, `${folder}/drawing`)).pipe(
    Layer.provide(ImagesBudget.layer({ images: 20, window: "1 hour" })),
    Layer.provide(BudgetLedger.layerMemory)
  )

/** Asks the model, which draws if it should. Provide `tools` once for the program: each building starts a new budget. */
export const answer = (prompt: string) => LanguageModel.generateText({ prompt, toolkit: ImageTool.toolkit })
