import { Models } from "@effect-gradient/core"
import { Effect } from "effect"

/** The ids of the service's image models: those with "image" in the id. The service also lists models of other kinds. */
export const imageModels = Models.list.pipe(
  Effect.map((models) => models.map(({ id }) => id).filter((id) => id.includes("image")))
)
