import type { GradientError } from "@effect-gradient/core"
import { codes } from "@effect-gradient/core/ErrorBody"

/** Returns a message about this failure for the user who requested the image. */
export const inWords = ({ isRetryable, mayHaveBeenCharged, reason }: GradientError.GradientError) => {
  if (reason.code === codes.inDoubt) {
    return "Nobody knows whether this image was made. It may have been charged for, so it is not asked for again."
  }
  if (mayHaveBeenCharged) return "The image did not arrive. It may have been charged for."
  return `No image arrived. ${isRetryable ? "Try again in a minute." : reason.message}`
}
