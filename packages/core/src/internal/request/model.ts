/**
 * The model of a call: its name, and where the name came from.
 */
import * as GradientError from "../../GradientError.ts"

/** Where the name of a model came from, for messages. */
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

/** Whether a 404 is about the model, and not about the endpoint. */
const isAboutModel = ({ code, description = "", param, type }: GradientError.NotFoundError) =>
  [description, code, param, type].some((text) => text !== undefined && /model/i.test(text))

/** Adds the model, and where its name came from, to a 404 about the model. Other reasons are unchanged. */
export const namingModel = (
  reason: GradientError.GradientErrorReason,
  { from, name }: NamedModel
): GradientError.GradientErrorReason => {
  if (reason._tag !== "NotFoundError" || !isAboutModel(reason)) return reason
  const words = reason.description === undefined ? "" : `: ${reason.description}`
  const description = `${JSON.stringify(name)}, ${sources[from]}${words}`
  return new GradientError.NotFoundError({ ...reason, model: name, description })
}
