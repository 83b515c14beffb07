/** Names that the service or a gateway uses: the types of events in a stream, and the codes of errors. */

/** The `type` of an event. It is also the event's name in the event stream. */
export const eventNames = {
  partialImage: "image_generation.partial_image",
  completed: "image_generation.completed",
  error: "error"
} as const

/**
 * The values that this library recognises as the `code` or `type` of an error. DigitalOcean sends the code as `id`, and
 * some servers as `error`.
 */
export const errorCodes = {
  moderationBlocked: "moderation_blocked",
  contentPolicyViolation: "content_policy_violation",
  insufficientQuota: "insufficient_quota",
  billingHardLimitReached: "billing_hard_limit_reached",
  rateLimitExceeded: "rate_limit_exceeded",
  tooManyRequests: "too_many_requests",
  invalidApiKey: "invalid_api_key",
  authenticationError: "authentication_error",
  unauthorized: "unauthorized",
  forbidden: "forbidden",
  notFound: "not_found",
  modelNotFound: "model_not_found",
  conflict: "conflict",
  unprocessableEntity: "unprocessable_entity",
  invalidRequestError: "invalid_request_error",
  badRequest: "bad_request",
  /** Sent by a gateway: a request with the same attempt id was already sent. */
  duplicateAttempt: "duplicate_attempt",
  /** Sent by a gateway: the request may have been sent, and its outcome is unknown. */
  inDoubt: "in_doubt",
  /** The store does not have the images of a generation that is done. */
  imagesLost: "images_lost",
  /** Sent by a gateway: the service refused the gateway's own key, or the key has no permission for the request. */
  notConfigured: "not_configured"
} as const
