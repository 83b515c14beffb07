/**
 * What the page shows after a failure.
 */
import type { GradientError } from "@effect-gradient/core"
import { ApiError } from "@effect-gradient/gateway"
import { Data } from "effect"

/** A failure in words for the page. */
export class ImageError extends Data.TaggedError("ImageError")<{
  /** What kind of failure it is, in a word or two. */
  readonly title: "Refused" | "Busy" | "Failed" | "In doubt" | "Perhaps paid"
  readonly message: string
  /** Ids by which the operator can find the request. */
  readonly ids: string
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

const titleOf = (error: GradientError.GradientError): ImageError["title"] => {
  if (error.reason.code === ApiError.inDoubt) return "In doubt"
  if (error.mayHaveBeenCharged) return "Perhaps paid"
  if (error.isRetryable) return "Busy"
  return error.reason.status === undefined ? "Failed" : "Refused"
}

const perhapsPaid = "The image may have been charged for."
const whatToDo = "Ask the operator before you generate it again, or you may pay twice."

const messageOf = (error: GradientError.GradientError) => {
  const happened = whatHappened(error)
  if (!error.mayHaveBeenCharged) return happened
  return [happened, ...(happened.includes("charged for") ? [] : [perhapsPaid]), whatToDo].join(" ")
}

export const toImageError = (error: GradientError.GradientError): ImageError => {
  const { code, requestId, status } = error.reason
  return new ImageError({
    title: titleOf(error),
    message: messageOf(error),
    ids: [status, code, requestId].filter((id) => id !== undefined).join(" · "),
    canRetry: error.isRetryable && !error.mayHaveBeenCharged
  })
}
