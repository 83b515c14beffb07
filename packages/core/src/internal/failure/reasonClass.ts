/** Maps HTTP statuses and error codes to classes of reasons. */
import * as GradientError from "../../GradientError.ts"
import { errorCodes } from "../wire.ts"
import type { ErrorBody } from "./errorBody.ts"

const byStatus = {
  401: GradientError.AuthenticationError,
  402: GradientError.QuotaExceededError,
  403: GradientError.PermissionDeniedError,
  404: GradientError.NotFoundError,
  409: GradientError.ConflictError,
  422: GradientError.UnprocessableEntityError,
  429: GradientError.RateLimitError
}

const hasRow = (status: number): status is keyof typeof byStatus => status in byStatus

type ReasonClass =
  | (typeof byStatus)[keyof typeof byStatus]
  | typeof GradientError.BadRequestError
  | typeof GradientError.ContentPolicyError
  | typeof GradientError.InternalServerError
  | typeof GradientError.InvalidResponseError

/** Error codes that decide the reason for an HTTP status of 4xx, and for an error object in a reply with status 2xx. */
const byDecidingCode = new Map<string | undefined, ReasonClass>([
  [errorCodes.moderationBlocked, GradientError.ContentPolicyError],
  [errorCodes.contentPolicyViolation, GradientError.ContentPolicyError],
  [errorCodes.insufficientQuota, GradientError.QuotaExceededError],
  [errorCodes.billingHardLimitReached, GradientError.QuotaExceededError]
])

/**
 * Error codes that decide the reason only for an error object in a reply with status 2xx. For a response with any other
 * status, these codes are ignored.
 */
const byCode = new Map<string | undefined, ReasonClass>([
  [errorCodes.rateLimitExceeded, GradientError.RateLimitError],
  [errorCodes.tooManyRequests, GradientError.RateLimitError],
  [errorCodes.invalidApiKey, GradientError.AuthenticationError],
  [errorCodes.authenticationError, GradientError.AuthenticationError],
  [errorCodes.unauthorized, GradientError.AuthenticationError],
  [errorCodes.forbidden, GradientError.PermissionDeniedError],
  [errorCodes.notFound, GradientError.NotFoundError],
  [errorCodes.modelNotFound, GradientError.NotFoundError],
  [errorCodes.conflict, GradientError.ConflictError],
  [errorCodes.unprocessableEntity, GradientError.UnprocessableEntityError],
  [errorCodes.invalidRequestError, GradientError.BadRequestError],
  [errorCodes.badRequest, GradientError.BadRequestError]
])

const decidedByCode = ({ code, type }: ErrorBody) => byDecidingCode.get(code) ?? byDecidingCode.get(type)

export const reasonClassOfStatus = (status: number, body: ErrorBody): ReasonClass => {
  if (status < 400) return GradientError.InvalidResponseError
  if (status >= 500) return GradientError.InternalServerError
  return decidedByCode(body) ?? (hasRow(status) ? byStatus[status] : GradientError.BadRequestError)
}

/**
 * The class of the reason for an error object in a reply with status 2xx: from `byDecidingCode`, else from `byCode`, by
 * its `code`, else its `type`. If neither has a class, the `status` decides. Without a status, the class is
 * `InternalServerError`.
 */
export const reasonClassOfError = (body: ErrorBody): ReasonClass => {
  const named = decidedByCode(body) ?? byCode.get(body.code) ?? byCode.get(body.type)
  if (named !== undefined) return named
  return body.status === undefined ? GradientError.InternalServerError : reasonClassOfStatus(body.status, body)
}
