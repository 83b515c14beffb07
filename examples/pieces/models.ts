import { Models } from "@effect-gradient/core"
import { Effect } from "effect"

/** The ids of the service's image models. The service lists models of all kinds. */
export const imageModels = Models.list.pipe(
  Effect.map((models) => models.map(({ id }) => id).filter((id) => id.includes("image")))
)
