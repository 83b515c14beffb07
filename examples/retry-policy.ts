import { Images, RetryPolicy } from "@effect-gradient/core"
import { NodeImages } from "@effect-gradient/node"
import { Schedule } from "effect"

// Also retries temporary failures that may have been charged for, such as a 500, unless an image arrived. One call may be
// charged for up to three times.
export const eager = NodeImages.layerFromConfig({ retry: RetryPolicy.eager })

// Retries up to 10 times, every 5 seconds, or after the wait that the service asks for, if that is at most a minute. As
// by default, it retries only temporary failures that were not charged for: a schedule decides when to retry, not which
// failures.
export const patient = NodeImages.layerFromConfig({
  retry: Schedule.spaced("5 seconds").pipe(Schedule.upTo({ times: 10 }))
})

// Makes one call without retries.
export const once = Images.generate({ prompt: "A lighthouse" }, { retry: RetryPolicy.none })
