import { Models } from "@effect-gradient/core"
import { Effect } from "effect"

/**
 * The ids of the service's models that have "image" in their id. Image models with other names, such as
 * `stable-diffusion-3.5-large`, are left out.
 */
export const imageModels = Models.list.pipe(
  Effect.map((models) => models.map(({ id }) => id).filter((id) => id.includes("image")))
)
