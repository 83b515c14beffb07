/** The model of a call: its name, and where the name was set. */
import * as GradientError from "../../GradientError.ts"
import { redactText } from "../redaction.ts"

/** Texts for messages that say where the name of a model was set. */
const sources = {
  call: "from the call's `model`",
  extraBody: "from the call's `extraBody`",
  layer: "from the layer's `model`",
  environment: "from GRADIENT_IMAGE_MODEL",
  default: "the default model"
} as const

export interface NamedModel {
  readonly name: string
  readonly from: keyof typeof sources
}

/** Whether a text of a 404 contains `model`: then probably the model, rather than the endpoint, was not found. */
const isAboutModel = ({ code, description = "", param, type }: GradientError.NotFoundError) =>
  [description, code, param, type].some((text) => text !== undefined && /model/i.test(text))

/**
 * Adds the name of the model, and where the name was set, to a 404 about the model. All other reasons are returned
 * unchanged. A key that was given as the model is redacted.
 */
export const namingModel = (
  reason: GradientError.GradientErrorReason,
  { from, name }: NamedModel,
  headers: Readonly<Record<string, string>>
): GradientError.GradientErrorReason => {
  if (reason._tag !== "NotFoundError" || !isAboutModel(reason)) return reason
  const words = reason.description === undefined ? "" : `: ${reason.description}`
  const model = redactText(headers)(name)
  const description = `${JSON.stringify(model)}, ${sources[from]}${words}`
  return new GradientError.NotFoundError({ ...reason, model, description })
}
