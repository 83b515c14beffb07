/**
 * The text that the page shows after a failure.
 */
import type { GradientError } from "@effect-gradient/core"
import { ApiError } from "@effect-gradient/gateway"
import { Data } from "effect"

/** A failure in words for the page. */
export class PictureError extends Data.TaggedError("PictureError")<{
  readonly message: string
  /** Whether the person can try again without paying twice. */
  readonly canRetry: boolean
}> {}

/**
 * The gateway writes its messages for the person who asked, and each has a type. A failure without one was noticed in this
 * page, and core's message about it is for programmers.
 */
const whatHappened = ({ reason }: GradientError.GradientError): string => {
  if (reason.code === ApiError.duplicateAttempt) return "The connection broke."
  const isForPeople = reason.type !== undefined || reason._tag === "InvalidParamsError"
  return isForPeople && reason.description !== undefined ? reason.description : `${reason.summary}.`
}

export const toPictureError = (error: GradientError.GradientError): PictureError =>
  new PictureError({
    message: error.mayHaveBeenCharged ? `${whatHappened(error)} It may have been charged for.` : whatHappened(error),
    canRetry: error.isRetryable && !error.mayHaveBeenCharged
  })
