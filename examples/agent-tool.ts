import * as BudgetLedger from "@effect-gradient/core/BudgetLedger"
import * as ImagesBudget from "@effect-gradient/core/ImagesBudget"
import * as ImageTool from "@effect-gradient/core/ImageTool"
import { ImageFile } from "@effect-gradient/node"
import { Layer } from "effect"
import { LanguageModel } from "effect/ai"

/**
 * Provides the handler of the tool `GenerateImage`, and needs a layer with `Images`. The model can generate at most 20
 * images in each window of 1 hour. Each image is written to a file in `folder`.
 */
export const tools = (folder: string) =>
  ImageTool.layer((image) => ImageFile.write(image, `${folder}/drawing`)).pipe(
    Layer.provide(ImagesBudget.layer({ images: 20, window: "1 hour" })),
    Layer.provide(BudgetLedger.layerMemory)
  )

/**
 * Sends the prompt to the language model, which may call the tool `GenerateImage`. Provide `tools` once for the
 * program: each time that the layer is built, a new budget starts.
 */
export const answer = (prompt: string) => LanguageModel.generateText({ prompt, toolkit: ImageTool.toolkit })
