/**
 * Turns a failure into texts for the page.
 */
import type { GradientError } from "@effect-gradient/core"
import { ApiError } from "@effect-gradient/gateway"
import { Data } from "effect"

/** A failure, in the texts that the page shows. */
export class ImageError extends Data.TaggedError("ImageError")<{
  /** The kind of this failure, in one or two words: the heading above its message. */
  readonly title: "Refused" | "Busy" | "Failed" | "In doubt" | "Perhaps paid"
  readonly message: string
  /** The status, code and request id of the error, as far as they are known, in one text for the operator. */
  readonly ids: string
  /** Whether the user can try again: this may succeed, and cannot be charged for twice. */
  readonly canRetry: boolean
}> {}

/**
 * Describes the failure for the user. The gateway writes its messages for users, and gives each a `type`; only the
 * message of `duplicate_attempt` is replaced. An error without a `type` is not from the gateway, and its description is
 * for programmers. So its summary is shown instead, unless it is an `InvalidParamsError`.
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
