import { Images, RetryPolicy } from "@effect-gradient/core"
import { NodeImages } from "@effect-gradient/node"
import { Schedule } from "effect"

// As other clients do: one call may be charged for up to three times.
export const eager = NodeImages.layerFromConfig({ retry: RetryPolicy.eager })

// More patient, and still charged for once: a schedule alone keeps the rule of the default.
export const patient = NodeImages.layerFromConfig({
  retry: Schedule.spaced("5 seconds").pipe(Schedule.upTo({ times: 10 }))
})

// Never, for one call.
export const once = Images.generate({ prompt: "A lighthouse" }, { retry: RetryPolicy.none })
