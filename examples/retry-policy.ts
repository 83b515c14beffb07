import { Images, RetryPolicy } from "@effect-gradient/core"
import { NodeImages } from "@effect-gradient/node"
import { Schedule } from "effect"

// Retries like other clients. One call may be charged for up to three times.
export const eager = NodeImages.layerFromConfig({ retry: RetryPolicy.eager })

// Retries more often, but still only what was not charged for: a schedule changes only the timing.
export const patient = NodeImages.layerFromConfig({
  retry: Schedule.spaced("5 seconds").pipe(Schedule.upTo({ times: 10 }))
})

// No retries, for one call.
export const once = Images.generate({ prompt: "A lighthouse" }, { retry: RetryPolicy.none })
