/** Decides whether a failed attempt may have been charged for. */
import type * as Duration from "effect/Duration"
import type { Reached } from "../../GradientError.ts"
import { errorCodes } from "../wire.ts"

/** The fields of a reason on which the decision depends. */
export interface Evidence {
  readonly _tag: string
  readonly status?: number | undefined
  readonly code?: string | undefined
  readonly retryAfter?: Duration.Duration | undefined
  readonly images: ReadonlyArray<unknown>
}

/** Whether the server is busy and asks the client to wait. It is assumed that it has not begun to generate. */
const isBusy = ({ retryAfter, status }: Evidence) => status === 503 && retryAfter !== undefined

/**
 * Whether a gateway refused to send a request again under the same attempt id, or does not know the request's outcome.
 * The first request with that id may have been charged for.
 */
const isRepeated = ({ code }: Evidence) => code === errorCodes.duplicateAttempt || code === errorCodes.inDoubt

/** Whether a gateway's own key was refused or has no permission, or a credit or a gateway's budget is used up. */
const isOperatorsFault = ({ code }: Evidence) =>
  code === errorCodes.notConfigured || code === errorCodes.insufficientQuota

const isUncharged = (evidence: Evidence) => isBusy(evidence) || isOperatorsFault(evidence)

/** Whether the attempt may have been charged for: one rule for each value of `reached`. */
export const charged: { readonly [P in Reached]: (evidence: Evidence) => boolean } = {
  NotSent: () => false,
  Sent: () => true,
  ErrorStatus: (evidence) => isRepeated(evidence) || ((evidence.status ?? 0) >= 500 && !isUncharged(evidence)),
  Accepted: ({ _tag, images }) => _tag !== "ContentPolicyError" || images.length > 0
}
