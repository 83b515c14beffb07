/**
 * The errors of the API: `{ error: { message, type, param, code } }`, with one schema for each status. Of the service's
 * error, a message contains at most the name of a param and the time to wait, because other texts could contain the
 * operator's key or an internal address.
 */
import { GradientError } from "@effect-gradient/core"
import * as ErrorBodies from "@effect-gradient/core/ErrorBody"
import * as Duration from "effect/Duration"
import * as HttpApiSchema from "effect/http-api/HttpApiSchema"
import * as HttpServerResponse from "effect/http/HttpServerResponse"
import * as Schema from "effect/Schema"

/**
 * The body of an error.
 *
 * @category schemas
 * @since 0.1.0
 */
export const ErrorBody = Schema.Struct({
  error: Schema.Struct({
    message: Schema.String,
    type: Schema.String,
    param: Schema.NullOr(Schema.String),
    code: Schema.NullOr(Schema.String)
  }).annotate({ identifier: "Error" })
})

/**
 * The body of an error.
 *
 * @category models
 * @since 0.1.0
 */
export interface ErrorBody extends Schema.Schema.Type<typeof ErrorBody> {}

/**
 * Headers that an error may have. They show whether and when to retry, which methods the path allows, which encodings
 * of a body are accepted, and how to send a key.
 *
 * @category schemas
 * @since 0.1.0
 */
export const ErrorHeaders = Schema.Struct({
  /** The number of seconds to wait before the next request. */
  "retry-after": Schema.optionalKey(Schema.String),
  /** `false` means that a retry could be charged for again, or would fail again. */
  "x-should-retry": Schema.optionalKey(Schema.Literals(["true", "false"])),
  "www-authenticate": Schema.optionalKey(Schema.Literal("Bearer")),
  /** The methods that the path allows. */
  allow: Schema.optionalKey(Schema.String),
  /** The encodings that are accepted for a request body. */
  "accept-encoding": Schema.optionalKey(Schema.String)
})

/**
 * Headers that an error may have. They show whether and when to retry, which methods the path allows, which encodings
 * of a body are accepted, and how to send a key.
 *
 * @category models
 * @since 0.1.0
 */
export interface ErrorHeaders extends Schema.Schema.Type<typeof ErrorHeaders> {}

/** The description of each status in the OpenAPI document. */
const descriptions = {
  400:
    "The request or a setting of the gateway is invalid, or moderation refused the prompt. " +
    "The message may name what to change.",
  401: "The credentials are missing or wrong.",
  403: "Pages of this origin are not allowed to call this API.",
  404: "The model does not exist, or the request cannot be joined.",
  405: "The path does not allow this method. The header allow lists the allowed ones.",
  408: "The body of the request did not arrive in time.",
  409:
    "The request conflicts with another one. " +
    "With the code duplicate_attempt or in_doubt, an earlier request with this id may have been charged for. " +
    "With the code idempotency_key_reused, an earlier request with this id had other params.",
  410: "The images of this request, if it had any, have been removed or lost.",
  413: "The body is too large.",
  415: "The content type of the body is not JSON, or the request has the header content-encoding.",
  422: "The service refused the request.",
  429: "The caller requested too many images or has too many open requests, or a limit of the image service is reached. The header retry-after, if present, gives the seconds to wait.",
  500: "The gateway failed.",
  502: "The image service, or the gateway's journal or store, failed, the reply cannot be used, or only the operator can correct the problem. Unless nothing was sent, or the code is not_configured or insufficient_quota, the image may have been charged for.",
  503: "The image service is busy, or something that the gateway needs cannot be used now. This request was not charged for.",
  504: "The image service did not reply in time. If the header x-should-retry is false, the image may have been charged for."
} as const

/**
 * The status of an error.
 *
 * @category models
 * @since 0.1.0
 */
export type Status = keyof typeof descriptions

const statuses = [400, 401, 403, 404, 405, 408, 409, 410, 413, 415, 422, 429, 500, 502, 503, 504] as const

const isStatus = (status: number): status is Status => Object.hasOwn(descriptions, status)

/**
 * An error of the API.
 *
 * @category models
 * @since 0.1.0
 */
export interface ApiError extends ErrorBody {
  readonly status: Status
  readonly headers: ErrorHeaders
}

/**
 * An error as it is sent: its body and its headers.
 *
 * @category models
 * @since 0.1.0
 */
export interface Encoded {
  readonly body: typeof ErrorBody.Encoded
  readonly headers: typeof ErrorHeaders.Encoded
}

/**
 * The schema of the errors with one status.
 *
 * @category schemas
 * @since 0.1.0
 */
export interface ErrorSchema extends Schema.Codec<ApiError, Encoded> {}

const schemaOf = (status: Status): ErrorSchema =>
  Schema.Struct({ status: Schema.Literals(statuses), ...ErrorBody.fields, headers: ErrorHeaders })
    .check(Schema.makeFilter((error) => error.status === status))
    .pipe(
      HttpApiSchema.encodeToWithHeaders(
        {
          body: ErrorBody.annotate({ description: descriptions[status] }).pipe(HttpApiSchema.status(status)),
          headers: ErrorHeaders.fields
        },
        {
          decode: ({ body, headers }) => ({ status, error: body.error, headers }),
          encode: ({ error, headers }) => ({ body: { error }, headers })
        }
      )
    )

/**
 * The schemas of all errors, one for each status.
 *
 * @category schemas
 * @since 0.1.0
 */
export const errors: ReadonlyArray<ErrorSchema> = statuses.map(schemaOf)

/**
 * The optional parts of an error.
 *
 * @category models
 * @since 0.1.0
 */
export interface Details {
  readonly param?: string | undefined
  readonly code?: string | undefined
  readonly headers?: ErrorHeaders | undefined
}

/**
 * Makes an error with this status and message.
 *
 * @category constructors
 * @since 0.1.0
 */
export const make = (status: Status, message: string, { code, headers = {}, param }: Details = {}): ApiError => ({
  status,
  ...ErrorBodies.make({ status, message, code, param }),
  headers
})

// ---------------------------------------------------------------------------------------------------------------------
// From a GradientError
// ---------------------------------------------------------------------------------------------------------------------

type Reason = GradientError.GradientErrorReason

/** Whether the service has no endpoint at the operator's base URL: it replied with a 404 that is not about a model. */
const isWrongAddress = (reason: Reason): boolean =>
  reason._tag === "NotFoundError" && reason.model === undefined && reason.reached !== "NotSent"

const statusOf = (reason: Reason): Status => {
  if (isWrongAddress(reason)) return 502
  const status = GradientError.httpStatus(reason)
  return isStatus(status) ? status : 502
}

const misconfigured = "The image cannot be generated until the operator of this service corrects its settings."

/**
 * The messages of errors, for the user of a page. Core's own messages are not used, because they are for the operator,
 * who has the key.
 */
const messages: { readonly [Tag in Reason["_tag"]]: string } = {
  InvalidParamsError: misconfigured,
  AuthenticationError: misconfigured,
  PermissionDeniedError: misconfigured,
  NotFoundError: "This model is not available.",
  ConflictError: "The request conflicts with another one.",
  UnprocessableEntityError: "The image service refused the request.",
  BadRequestError: "The image service refused the request.",
  ContentPolicyError: "Moderation refused the prompt. Change it and try again.",
  QuotaExceededError:
    "No image can be generated now: the operator's account has no credit left, or has reached its limit.",
  RateLimitError: "A limit of images or requests is reached.",
  BudgetExceededError: "The image cannot be generated now: not enough of the budget is left.",
  ConnectionError: "The image service cannot be used now. Nothing was sent.",
  InternalServerError: "The image service failed.",
  RequestTimeoutError: "The request to the image service took too long.",
  DisconnectedError: "The connection broke.",
  InvalidResponseError: "The reply of the image service cannot be used.",
  IncompleteStreamError: "The reply of the image service ended before all images were complete.",
  InDoubtError: "This request may already have been charged for, so it is not sent again.",
  ExpiredError: "The images of this request, if it had any, have been removed.",
  JournalError: "The record of requests cannot be used now.",
  StoreError: "The store of images cannot be used now."
}

/**
 * The error code for a request with the `x-attempt-id` of an earlier request that may have been charged for.
 *
 * @category codes
 * @since 0.1.0
 */
export const duplicateAttempt = ErrorBodies.codes.duplicateAttempt

/**
 * The error code for a request that is in doubt: it may have been charged for, and is not sent again.
 *
 * @category codes
 * @since 0.1.0
 */
export const inDoubt = ErrorBodies.codes.inDoubt

/**
 * The error code for joining a request if no request of this caller with this id is known, or if sending it again is
 * allowed, for example because it failed without being charged for.
 *
 * @category codes
 * @since 0.1.0
 */
export const notFound = ErrorBodies.codes.notFound

/**
 * The error code for joining a request at a gateway that does not keep replies.
 *
 * @category codes
 * @since 0.1.0
 */
export const notKept = "not_kept"

/**
 * Messages for the error codes of the gateway and of layers in it. If the service sent such a code, its message here is
 * not used, except for `duplicateAttempt`.
 */
const messagesOfCodes: { readonly [code: string]: string } = {
  [duplicateAttempt]: "A request with this x-attempt-id was already received. It is not sent again.",
  [notFound]: "No request with this id is known to be under way or to have been charged for. Send the request again.",
  [notKept]: "The request cannot be joined, because this gateway does not keep replies.",
  idempotency_key_reused: "A request with this x-attempt-id and other params was already received. Use another id.",
  [ErrorBodies.codes.imagesLost]: "The images of this request have been lost.",
  rate_limiter_unreachable: "The gateway's rate limiter cannot be used now. Nothing was sent.",
  budget_unreachable: "The gateway's budget cannot be used now. Nothing was sent."
}

const messageOf = (reason: Reason, param: string | undefined, wait: number | undefined): string => {
  const { _tag, code, reached } = reason
  const ofCode = reached === "NotSent" || code === duplicateAttempt ? messagesOfCodes[code ?? ""] : undefined
  const message = ofCode ?? (isWrongAddress(reason) ? misconfigured : messages[_tag])
  const advice = wait === undefined ? "" : wait === 0 ? " Try again." : ` Try again in ${wait} s.`
  return `${message}${param === undefined ? "" : ` Check '${param}'.`}${advice}`
}

/** Codes for failures that only the operator can correct. By them, core's client knows that nothing was charged for. */
const operatorCodes: { readonly [Tag in Reason["_tag"]]?: string } = {
  AuthenticationError: ErrorBodies.codes.notConfigured,
  PermissionDeniedError: ErrorBodies.codes.notConfigured,
  QuotaExceededError: ErrorBodies.codes.insufficientQuota,
  BudgetExceededError: ErrorBodies.codes.insufficientQuota
}

const operatorCodeOf = (reason: Reason): string | undefined =>
  isWrongAddress(reason) ? ErrorBodies.codes.notConfigured : operatorCodes[reason._tag]

/** The code for each of these reasons if the reason has no code of its own, or one that `plainName` rejects. */
const codes: { readonly [Tag in Reason["_tag"]]?: string } = {
  ContentPolicyError: "content_policy_violation",
  RateLimitError: ErrorBodies.codes.rateLimitExceeded,
  InDoubtError: inDoubt,
  ExpiredError: "expired"
}

/**
 * Returns the name if it has at most 64 lower-case letters and underscores and begins with a letter, else `undefined`.
 * Any other text from the service could contain a URL or a part of the key.
 */
const plainName = (name: string | undefined) =>
  name !== undefined && /^[a-z][a-z_]{0,63}$/.test(name) ? name : undefined

/**
 * Makes the error that a caller gets from a failed call of `Images`. You can use it in your own route that calls
 * `Images`. Log the GradientError as well, because only it has the details.
 *
 * @category constructors
 * @since 0.1.0
 */
export const fromGradientError = ({ mayHaveBeenCharged, reason }: GradientError.GradientError): ApiError => {
  const status = statusOf(reason)
  const retryAfter = reason.retryAfter ?? (status === 503 ? Duration.seconds(1) : undefined)
  const wait = retryAfter === undefined ? undefined : Math.ceil(Duration.toSeconds(retryAfter))
  // Clients such as `openai` retry after any 5xx. So `x-should-retry` is `false` if a retry could be charged for again,
  // or if the failure is a 5xx that would happen again.
  const isFinal = mayHaveBeenCharged || (status >= 500 && !reason.isRetryable)
  const shouldRetry = isFinal ? false : reason.shouldRetry
  const param = plainName(reason.param)
  return make(status, messageOf(reason, param, wait), {
    code: operatorCodeOf(reason) ?? plainName(reason.code) ?? codes[reason._tag],
    param,
    headers: {
      ...(wait === undefined ? {} : { "retry-after": String(wait) }),
      ...(shouldRetry === undefined ? {} : { "x-should-retry": shouldRetry ? "true" : "false" })
    }
  })
}

// ---------------------------------------------------------------------------------------------------------------------
// Encoding
// ---------------------------------------------------------------------------------------------------------------------

/**
 * The error as a response.
 *
 * @category converting
 * @since 0.1.0
 */
export const toResponse = ({ error, headers, status }: ApiError): HttpServerResponse.HttpServerResponse =>
  HttpServerResponse.setHeaders(HttpServerResponse.jsonUnsafe({ error }, { status }), { ...headers })

/**
 * Encodes the error as the last event of a stream of server-sent events.
 *
 * @category converting
 * @since 0.1.0
 */
export const toServerSentEvent = ({ error }: ApiError): Uint8Array =>
  new TextEncoder().encode(ErrorBodies.toServerSentEvent({ error }))
