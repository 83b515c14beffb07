/**
 * The one rule about money: whether a failed attempt may have been charged for.
 */
import type * as Duration from "effect/Duration"
import type { Reached } from "../../GradientError.ts"

/** The fields of a reason that the rule depends on. */
export interface Evidence {
  readonly _tag: string
  readonly status?: number | undefined
  readonly code?: string | undefined
  readonly retryAfter?: Duration.Duration | undefined
  readonly images: ReadonlyArray<unknown>
}

/** A server that is busy and names a time has not begun to generate. */
const isBusy = ({ retryAfter, status }: Evidence) => status === 503 && retryAfter !== undefined

/** A gateway refuses the second request with one attempt id like this, while the first is still being generated. */
const isDuplicate = ({ code }: Evidence) => code === "duplicate_attempt"

/** A gateway answers like this if the service refused the gateway's own key, or its account has no credit. */
const isOperatorsFault = ({ code }: Evidence) => code === "not_configured" || code === "insufficient_quota"

const isUncharged = (evidence: Evidence) => isBusy(evidence) || isOperatorsFault(evidence)

/** Whether an image may have been charged for: one rule for each value of `reached`. */
export const charged: { readonly [P in Reached]: (evidence: Evidence) => boolean } = {
  NotSent: () => false,
  Sent: () => true,
  ErrorStatus: (evidence) => isDuplicate(evidence) || ((evidence.status ?? 0) >= 500 && !isUncharged(evidence)),
  Accepted: ({ _tag, images }) => _tag !== "ContentPolicyError" || images.length > 0
}
