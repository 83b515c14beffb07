/**
 * The error of this library, `GradientError`, and its reasons. A reason shows what failed, whether a retry may succeed,
 * and whether the attempt may have been charged for.
 */
import * as DateTime from "effect/DateTime"
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as Predicate from "effect/Predicate"
import * as Schema from "effect/Schema"
import { GeneratedImage } from "./GeneratedImage.ts"
import { charged } from "./internal/failure/charged.ts"
import { Issue } from "./internal/issue.ts"
import { optional } from "./internal/schemaFields.ts"
import { errorCodes } from "./internal/wire.ts"
import { nextReset, RateLimit } from "./RateLimit.ts"

/**
 * How far an attempt got before it failed.
 *
 * - `NotSent`: it is proven that nothing was sent.
 * - `Sent`: the request was sent, or may have been sent, and the status of a response is not known.
 * - `ErrorStatus`: a response arrived with a status other than 2xx.
 * - `Accepted`: a response arrived with a status of 2xx.
 *
 * @category models
 * @since 0.1.0
 */
export const Reached = Schema.Literals(["NotSent", "Sent", "ErrorStatus", "Accepted"])

/**
 * @category models
 * @since 0.1.0
 */
export type Reached = typeof Reached.Type

/** The texts for one kind of failure, and whether it is temporary. */
interface Row {
  readonly summary: string
  /** How to fix the problem. */
  readonly advice: string
  /** Set if the failure is temporary, so that a retry may succeed. */
  readonly isTemporary?: true
}

const unknownOutcome = "If the request was charged for, a retry may be charged for as well."

/**
 * One row for each reason: its summary, advice for the developer, and whether it is temporary.
 *
 * @category rules
 * @since 0.1.0
 */
export const reasons = {
  InvalidParamsError: {
    summary: "A param or option is invalid",
    advice: "Correct what this message names. Nothing was sent."
  },
  AuthenticationError: {
    summary: "The key is missing or was refused",
    advice:
      "Check the key. Model access keys (GRADIENT_MODEL_ACCESS_KEY) are created at cloud.digitalocean.com, under Serverless Inference."
  },
  PermissionDeniedError: {
    summary: "The key has no permission for this request",
    advice: "Use a key that has this permission."
  },
  NotFoundError: {
    summary: "Not found",
    advice: "Check the base URL and the name of the model."
  },
  ConflictError: {
    summary: "The request conflicts with another one",
    advice: "Wait until the other request has ended, or use another idempotency key.",
    isTemporary: true
  },
  UnprocessableEntityError: { summary: "The params were refused", advice: "Correct the params." },
  BadRequestError: { summary: "The request was refused", advice: "Change the request." },
  ContentPolicyError: { summary: "Moderation refused the request", advice: "Change the prompt." },
  QuotaExceededError: {
    summary: "The account has no credit left, or has reached its limit",
    advice: "Add credit, or raise the account's limit."
  },
  RateLimitError: {
    summary: "Too many requests",
    advice: "Wait before the next request, or send fewer requests at a time.",
    isTemporary: true
  },
  BudgetExceededError: {
    summary: "The request could exceed the budget",
    advice: "Nothing was sent. Raise the budget of `ImagesBudget.layer`, or ask for fewer images."
  },
  ConnectionError: {
    summary: "The request could not be sent",
    advice: "Check the network, the base URL, and the proxy if you use one.",
    isTemporary: true
  },
  InternalServerError: {
    summary: "The service failed",
    advice: "Try again later.",
    isTemporary: true
  },
  RequestTimeoutError: { summary: "The request timed out", advice: unknownOutcome, isTemporary: true },
  DisconnectedError: { summary: "The connection broke", advice: unknownOutcome, isTemporary: true },
  InvalidResponseError: {
    summary: "The response cannot be used",
    advice: "Check that the base URL points to a compatible service, or raise `limits` if the response exceeds them."
  },
  IncompleteStreamError: {
    summary: "The stream ended before an image was complete",
    advice: unknownOutcome,
    isTemporary: true
  },
  InDoubtError: {
    summary: "An earlier request with this idempotency key may have been charged for, and its outcome is unknown",
    advice: "Nothing is sent with this idempotency key unless you allow it, for example with `DurableImages.resolve`."
  },
  ExpiredError: {
    summary: "The images of this idempotency key, if it had any, were removed",
    advice: "Nothing was sent. To generate images and pay for them, call `DurableImages.forget` first."
  },
  JournalError: { summary: "The journal of generations cannot be used", advice: "" },
  StoreError: { summary: "The store of images failed", advice: "" }
} as const satisfies Record<string, Row>

const idleProxies = "Some proxies close idle connections"

/** The advice of a `RequestTimeoutError`, by the timeout that expired. */
const timeoutAdvice = {
  connect: "Check the network and the host of the base URL.",
  response: "A high-quality image takes 2 to 4 minutes: raise `timeout`.",
  idle: `${idleProxies}: stream with partial images, or raise \`idleTimeout\`.`,
  deadline: "Raise `deadline`, or ask for fewer images at a time."
} as const

const hasRow = (tag: string): tag is keyof typeof reasons => tag in reasons

/** The texts for the reason with this tag. If the tag has no row, the tag is the summary. */
const rowOf = (tag: string): Row => (hasRow(tag) ? reasons[tag] : { summary: tag, advice: "" })

const sentence = (text: string) => (/[.!?]$/.test(text) ? text : `${text}.`)

/** The status as it is shown in the message. A status of 2xx is left out, because it does not explain a failure. */
const failureStatus = (status: number | undefined) =>
  status === undefined || (status >= 200 && status < 300) ? "" : ` (${status})`

const isNumber = /^\d+$/

const seconds = (duration: Duration.Duration) => Math.ceil(Duration.toSeconds(duration) * 10) / 10

/** The fields of every reason. */
class Reason extends Schema.Error<Reason>("@effect-gradient/core/GradientError/Reason")({
  reached: Reached,
  /** What went wrong, as the service, the transport or this library describes it. */
  description: optional(Schema.String),
  /** The HTTP status of the response, if it is known. */
  status: optional(Schema.Int),
  /** The id of the request, from the header `x-request-id`, else from `request_id` in the error's body. */
  requestId: optional(Schema.String),
  /** The response's headers. Values that can be secret are redacted. */
  headers: optional(Schema.Record(Schema.String, Schema.String)),
  /** The code of the error, as the service or this library names it, such as `model_not_found`. */
  code: optional(Schema.String),
  /** The type of the error that the service sent, such as `not_found_error`. */
  type: optional(Schema.String),
  /** The param that the service's error is about, by its name on the wire. */
  param: optional(Schema.String),
  /**
   * How long to wait before a retry: from the header `retry-after-ms`, else `retry-after`, or from a rate limiter of
   * the program.
   */
  retryAfter: optional(Schema.Duration),
  /** Overrides whether the failure is temporary: from the header `x-should-retry`, or set by this library. */
  shouldRetry: optional(Schema.Boolean),
  /** True for a request that is never charged for, such as listing models. */
  isFree: optional(Schema.Boolean),
  /**
   * Images that arrived before the failure. If a stream broke, usually only the last one, partial or complete, even if
   * the caller has it. With `phase: "after"`, `JournalError` and `StoreError` have all images of the reply.
   * `InDoubtError` has those that could be read from the store.
   */
  images: Schema.Array(GeneratedImage).pipe(Schema.withConstructorDefault(Effect.succeed([]))),
  /** The error that caused the failure, such as the transport's own error. */
  cause: Schema.optional(Schema.Defect())
}) {
  declare readonly _tag: string

  /**
   * Whether the failure counts as temporary, so that a retry may succeed. If `mayHaveBeenCharged` is true, you may pay
   * for the failed attempt and for the retry.
   */
  get isRetryable(): boolean {
    return this.shouldRetry ?? (this.status === 408 || rowOf(this._tag).isTemporary === true)
  }

  /**
   * Whether the service may have charged for the request of this attempt, or for an earlier request that the failure is
   * about.
   */
  get mayHaveBeenCharged(): boolean {
    return this.isFree !== true && charged[this.reached](this)
  }

  /** A short description of the failure: the beginning of `message`. */
  get summary(): string {
    return rowOf(this._tag).summary
  }

  /** How to fix the problem, in one or two sentences. Empty if there is no advice. */
  get advice(): string {
    return rowOf(this._tag).advice
  }

  override get message(): string {
    const summary = `${this.summary}${failureStatus(this.status)}`
    const details = this.description ?? (isNumber.test(this.code ?? "0") ? undefined : this.code)
    const wait = this.isRetryable && this.retryAfter !== undefined && `Retry in ${seconds(this.retryAfter)} s.`
    return [
      sentence(details === undefined ? summary : `${summary}: ${details}`),
      wait || this.advice,
      this.images.length > 0 && "Images that arrived are in `reason.images`.",
      this.mayHaveBeenCharged && "The request may have been charged for.",
      this.requestId !== undefined && `Request id: ${this.requestId}.`
    ]
      .filter(Boolean)
      .join(" ")
  }

  override toJSON(): unknown {
    const { isRetryable, mayHaveBeenCharged, message } = this
    return { ...this, message, isRetryable, mayHaveBeenCharged }
  }
}

const reachedField = (byDefault: Reached) => Reached.pipe(Schema.withConstructorDefault(Effect.succeed(byDefault)))

/**
 * The params or options are invalid, or the HTTP client refuses to send the request. Nothing was sent.
 *
 * @category reasons
 * @since 0.1.0
 */
export class InvalidParamsError extends Reason.extend<InvalidParamsError>(
  "@effect-gradient/core/GradientError/InvalidParamsError"
)({
  _tag: Schema.tag("InvalidParamsError"),
  reached: reachedField("NotSent"),
  /**
   * The first broken rule of each param or option. It can be empty, for example if the HTTP client refused the URL.
   * Then only `description` shows what is wrong.
   */
  issues: Schema.Array(Issue).pipe(Schema.withConstructorDefault(Effect.succeed([])))
}) {}

/**
 * 401: the key is missing or wrong.
 *
 * @category reasons
 * @since 0.1.0
 */
export class AuthenticationError extends Reason.extend<AuthenticationError>(
  "@effect-gradient/core/GradientError/AuthenticationError"
)({
  _tag: Schema.tag("AuthenticationError"),
  reached: reachedField("ErrorStatus")
}) {}

/**
 * 403: the key has no permission for this request.
 *
 * @category reasons
 * @since 0.1.0
 */
export class PermissionDeniedError extends Reason.extend<PermissionDeniedError>(
  "@effect-gradient/core/GradientError/PermissionDeniedError"
)({
  _tag: Schema.tag("PermissionDeniedError"),
  reached: reachedField("ErrorStatus")
}) {}

/**
 * 404: no such endpoint or model. Also the reason if `DurableImages.join` has nothing to join; then nothing was sent.
 *
 * @category reasons
 * @since 0.1.0
 */
export class NotFoundError extends Reason.extend<NotFoundError>("@effect-gradient/core/GradientError/NotFoundError")({
  _tag: Schema.tag("NotFoundError"),
  reached: reachedField("ErrorStatus"),
  /** The model that does not exist, if the error is about the model. */
  model: optional(Schema.String)
}) {
  override get summary(): string {
    if (this.reached === "NotSent") return "There is nothing to join with this idempotency key"
    return this.model === undefined ? super.summary : "There is no such model"
  }

  override get advice(): string {
    if (this.reached === "NotSent") return ""
    return this.model === undefined
      ? super.advice
      : "Set `model` or GRADIENT_IMAGE_MODEL to another model; `Models.list` and `gradient-images models` list all models."
  }
}

/**
 * 409: the request conflicts with another one. Also the reason if `DurableImages` refuses a call, for example because
 * its idempotency key was used with other params; then nothing was sent.
 *
 * @category reasons
 * @since 0.1.0
 */
export class ConflictError extends Reason.extend<ConflictError>("@effect-gradient/core/GradientError/ConflictError")({
  _tag: Schema.tag("ConflictError"),
  reached: reachedField("ErrorStatus")
}) {
  /** The advice. It is empty if the conflict is not temporary, because waiting does not help then. */
  override get advice(): string {
    return this.isRetryable ? super.advice : ""
  }
}

/**
 * 422: the service refused the params.
 *
 * @category reasons
 * @since 0.1.0
 */
export class UnprocessableEntityError extends Reason.extend<UnprocessableEntityError>(
  "@effect-gradient/core/GradientError/UnprocessableEntityError"
)({
  _tag: Schema.tag("UnprocessableEntityError"),
  reached: reachedField("ErrorStatus")
}) {}

/**
 * 400, or another 4xx that has no reason of its own here.
 *
 * @category reasons
 * @since 0.1.0
 */
export class BadRequestError extends Reason.extend<BadRequestError>(
  "@effect-gradient/core/GradientError/BadRequestError"
)({
  _tag: Schema.tag("BadRequestError"),
  reached: reachedField("ErrorStatus")
}) {
  override get advice(): string {
    return this.status === 408 ? "Try again." : super.advice
  }
}

/**
 * Moderation refused the request.
 *
 * @category reasons
 * @since 0.1.0
 */
export class ContentPolicyError extends Reason.extend<ContentPolicyError>(
  "@effect-gradient/core/GradientError/ContentPolicyError"
)({
  _tag: Schema.tag("ContentPolicyError"),
  reached: reachedField("ErrorStatus")
}) {}

/**
 * 402, or another 4xx or an error within a reply of status 200, if its code shows that the account has no credit left,
 * or has reached its limit.
 *
 * @category reasons
 * @since 0.1.0
 */
export class QuotaExceededError extends Reason.extend<QuotaExceededError>(
  "@effect-gradient/core/GradientError/QuotaExceededError"
)({
  _tag: Schema.tag("QuotaExceededError"),
  reached: reachedField("ErrorStatus")
}) {}

/**
 * 429: too many requests. Its fields contain the rate limits from the response's headers. It is also the reason if
 * `ImagesLimit` refuses a request; then nothing was sent.
 *
 * @category reasons
 * @since 0.1.0
 */
export class RateLimitError extends Reason.extend<RateLimitError>("@effect-gradient/core/GradientError/RateLimitError")(
  {
    _tag: Schema.tag("RateLimitError"),
    reached: reachedField("ErrorStatus"),
    ...RateLimit.fields
  }
) {
  override get advice(): string {
    const reset = nextReset(this)
    return reset === undefined ? super.advice : `A limit is reset at ${DateTime.formatIso(reset)}.`
  }
}

/**
 * The request may use more than is left of the budget of `ImagesBudget`. Nothing was sent.
 *
 * @category reasons
 * @since 0.1.0
 */
export class BudgetExceededError extends Reason.extend<BudgetExceededError>(
  "@effect-gradient/core/GradientError/BudgetExceededError"
)({
  _tag: Schema.tag("BudgetExceededError"),
  reached: reachedField("NotSent"),
  /**
   * A limit of the budget that could be exceeded. `limit`, `left` and `requested` are numbers of images, of output
   * tokens, or of the currency's units.
   */
  of: Schema.Literals(["images", "outputTokens", "money"]),
  limit: Schema.Finite,
  /** How much of the limit is left. */
  left: Schema.Finite,
  /** The most that the request may use. */
  requested: Schema.Finite,
  /** How long the limit applies before the count starts again at 0. Absent if the count never starts again. */
  window: optional(Schema.Duration)
}) {}

/**
 * It is proven that nothing was sent, for example because no connection could be made. Also the reason if the store of
 * a limit or of a budget cannot be reached.
 *
 * @category reasons
 * @since 0.1.0
 */
export class ConnectionError extends Reason.extend<ConnectionError>(
  "@effect-gradient/core/GradientError/ConnectionError"
)({
  _tag: Schema.tag("ConnectionError"),
  reached: reachedField("NotSent")
}) {}

/**
 * 5xx, or an error within a reply of status 200 that fits no other reason.
 *
 * @category reasons
 * @since 0.1.0
 */
export class InternalServerError extends Reason.extend<InternalServerError>(
  "@effect-gradient/core/GradientError/InternalServerError"
)({
  _tag: Schema.tag("InternalServerError"),
  reached: reachedField("ErrorStatus")
}) {}

/**
 * A timeout expired.
 *
 * @category reasons
 * @since 0.1.0
 */
export class RequestTimeoutError extends Reason.extend<RequestTimeoutError>(
  "@effect-gradient/core/GradientError/RequestTimeoutError"
)({
  _tag: Schema.tag("RequestTimeoutError"),
  reached: reachedField("Sent"),
  /**
   * Which timeout expired.
   *
   * - `connect`: no connection was made in time.
   * - `response`: `timeout`, or a similar timeout of the HTTP client. The reply, or the headers of a stream, did not
   *   arrive in time.
   * - `idle`: `idleTimeout`, or a similar timeout of the HTTP client. No further byte of the reply arrived in time.
   * - `deadline`: the stream was not complete within `deadline`.
   */
  phase: Schema.Literals(["connect", "response", "idle", "deadline"])
}) {
  override get advice(): string {
    return timeoutAdvice[this.phase]
  }
}

/**
 * The connection broke, or `transformClient` failed, and the request may have been sent.
 *
 * @category reasons
 * @since 0.1.0
 */
export class DisconnectedError extends Reason.extend<DisconnectedError>(
  "@effect-gradient/core/GradientError/DisconnectedError"
)({
  _tag: Schema.tag("DisconnectedError"),
  reached: reachedField("Sent")
}) {
  override get advice(): string {
    return this.reached === "Accepted"
      ? `${idleProxies}: stream with partial images, so that the connection is not idle.`
      : super.advice
  }
}

/**
 * The response does not follow the API, exceeds `limits`, or is a redirect, which is not followed. `description` shows
 * what is wrong.
 *
 * @category reasons
 * @since 0.1.0
 */
export class InvalidResponseError extends Reason.extend<InvalidResponseError>(
  "@effect-gradient/core/GradientError/InvalidResponseError"
)({
  _tag: Schema.tag("InvalidResponseError"),
  reached: reachedField("Accepted"),
  /** URLs that the reply has instead of images. The images are paid for, and the URLs may soon expire. */
  urls: Schema.Array(Schema.String).pipe(Schema.withConstructorDefault(Effect.succeed([])))
}) {}

/**
 * The stream ended before the `Completed` event of an image.
 *
 * @category reasons
 * @since 0.1.0
 */
export class IncompleteStreamError extends Reason.extend<IncompleteStreamError>(
  "@effect-gradient/core/GradientError/IncompleteStreamError"
)({
  _tag: Schema.tag("IncompleteStreamError"),
  reached: reachedField("Accepted")
}) {}

/**
 * An earlier request with this idempotency key was sent, or may have been, and its outcome is unknown, for example
 * because the process was killed or the connection broke. Nothing is sent with this key unless someone allows it, for
 * example with `DurableImages.resolve`.
 *
 * @category reasons
 * @since 0.1.0
 */
export class InDoubtError extends Reason.extend<InDoubtError>("@effect-gradient/core/GradientError/InDoubtError")({
  _tag: Schema.tag("InDoubtError"),
  reached: reachedField("Sent"),
  key: Schema.String,
  /** The number of the attempt that is in doubt. */
  attempt: Schema.Int,
  /** When that attempt was recorded, directly before its request was to be sent. */
  since: Schema.DateTimeUtc,
  /**
   * Whether someone decided, with `DurableImages.resolve`, to abandon the generation. A later decision can still repeat
   * it.
   */
  abandoned: Schema.Boolean
}) {
  override get summary(): string {
    return this.abandoned
      ? "An earlier request with this idempotency key was abandoned, and may have been charged for"
      : super.summary
  }
}

/**
 * The generation with this idempotency key has expired or was erased: its images, if it had any, were removed from the
 * store.
 *
 * @category reasons
 * @since 0.1.0
 */
export class ExpiredError extends Reason.extend<ExpiredError>("@effect-gradient/core/GradientError/ExpiredError")({
  _tag: Schema.tag("ExpiredError"),
  reached: reachedField("NotSent"),
  key: Schema.String
}) {}

const phase = Schema.Literals(["before", "after"])

const phaseAdvice = {
  before: "Nothing was sent. Try again later.",
  after: "The request was sent. Calls with this idempotency key send no other request unless you allow it."
} as const

/**
 * The journal, which records durable requests, could not be reached or rejected a statement, or the process may no
 * longer send, because it stalled or its layer is closing. If `phase` is `before`, this attempt sent nothing. If it is
 * `after`, the request was sent, and its outcome could be saved neither in the store nor in the journal. Then `images`
 * has all images of the reply.
 *
 * @category reasons
 * @since 0.1.0
 */
export class JournalError extends Reason.extend<JournalError>("@effect-gradient/core/GradientError/JournalError")({
  _tag: Schema.tag("JournalError"),
  reached: reachedField("NotSent"),
  phase
}) {
  override get advice(): string {
    return phaseAdvice[this.phase]
  }
}

/**
 * The store of images could not be read or written, or has lost the images of the idempotency key. If `phase` is
 * `before`, this attempt sent nothing. If it is `after`, the request was sent, its images could not be stored, and
 * `images` has all of them. The code is `images_lost` if the store does not have the images of a generation that is
 * done.
 *
 * @category reasons
 * @since 0.1.0
 */
export class StoreError extends Reason.extend<StoreError>("@effect-gradient/core/GradientError/StoreError")({
  _tag: Schema.tag("StoreError"),
  reached: reachedField("NotSent"),
  phase
}) {
  override get advice(): string {
    return this.code === errorCodes.imagesLost ? rowOf("ExpiredError").advice : phaseAdvice[this.phase]
  }
}

/**
 * The reasons of a `GradientError`.
 *
 * @category reasons
 * @since 0.1.0
 */
export const GradientErrorReason = Schema.Union([
  InvalidParamsError,
  AuthenticationError,
  PermissionDeniedError,
  NotFoundError,
  ConflictError,
  UnprocessableEntityError,
  BadRequestError,
  ContentPolicyError,
  QuotaExceededError,
  RateLimitError,
  BudgetExceededError,
  ConnectionError,
  InternalServerError,
  RequestTimeoutError,
  DisconnectedError,
  InvalidResponseError,
  IncompleteStreamError,
  InDoubtError,
  ExpiredError,
  JournalError,
  StoreError
])

/**
 * @category reasons
 * @since 0.1.0
 */
export type GradientErrorReason = typeof GradientErrorReason.Type

/**
 * One failed attempt of a call.
 *
 * @category models
 * @since 0.1.0
 */
export const FailedAttempt = Schema.Struct({
  reason: GradientErrorReason,
  /** The time from the start of the attempt to its failure, including waits for limits before the request was sent. */
  elapsed: Schema.Duration
})

/**
 * @category models
 * @since 0.1.0
 */
export type FailedAttempt = typeof FailedAttempt.Type

const TypeId = "~@effect-gradient/core/GradientError"

/**
 * The error with which a call to the service fails. Match on its `reason` with `Effect.catchReason`. Its `message` is
 * for developers, not for end users.
 *
 * @category errors
 * @since 0.1.0
 */
export class GradientError extends Schema.TaggedError<GradientError>("@effect-gradient/core/GradientError")(
  "GradientError",
  {
    reason: GradientErrorReason,
    /**
     * The failed attempts of the call, including the last, and the requests that `transformClient` repeated. Empty if
     * the call failed before its first attempt.
     */
    attempts: Schema.Array(FailedAttempt).pipe(Schema.withConstructorDefault(Effect.succeed([]))),
    /** The messages of all failures in one text, if `ImagesFallback` tried several endpoints or models. */
    details: optional(Schema.String),
    cause: Schema.optional(Schema.Defect())
  }
) {
  /** Whether the failure counts as temporary, so that a retry may succeed. */
  get isRetryable(): boolean {
    return this.reason.isRetryable
  }

  /** Whether `reason` or a reason in `attempts` may have been charged for. */
  get mayHaveBeenCharged(): boolean {
    return this.reason.mayHaveBeenCharged || this.attempts.some(({ reason }) => reason.mayHaveBeenCharged)
  }

  /** Lets `isGradientError` recognise errors of a second installed copy of this package. */
  get [TypeId](): typeof TypeId {
    return TypeId
  }

  override get message(): string {
    if (this.details !== undefined) return this.details
    const attempts = this.attempts.length > 1 ? ` (${this.attempts.length} attempts)` : ""
    return `${this.reason.message}${attempts}`
  }
}

/**
 * Makes an error with this reason. If the reason has a `cause`, the error has the same `cause`.
 *
 * @category constructors
 * @since 0.1.0
 */
export const fromReason = (reason: GradientErrorReason, attempts: ReadonlyArray<FailedAttempt> = []): GradientError =>
  new GradientError({ reason, attempts, ...(reason.cause === undefined ? {} : { cause: reason.cause }) })

/**
 * Whether a value is a `GradientError`, such as the one with which a promise of `Effect.runPromise` rejects.
 *
 * @category guards
 * @since 0.1.0
 */
export const isGradientError = (value: unknown): value is GradientError => Predicate.hasProperty(value, TypeId)

/**
 * The HTTP status with which your own server should reply if a call fails for this reason.
 *
 * - 400 (also for moderation and invalid params), 404, 409, 422 and 429: in most cases, your caller can correct the
 *   request, or repeat it later. If the earlier request with an idempotency key is in doubt, the status is 409 too.
 * - 410: the images of an idempotency key were removed or lost.
 * - 502: only you can solve the problem (key, permission, credit, budget), or the failure is of any other kind. A 401
 *   of the service becomes a 502, because a 401 would ask your caller for credentials.
 * - 503: this request was not charged for, because it was not sent or the service is busy. A retry is safe.
 * - 504: a timeout expired, or the service replied with 408 or 504.
 *
 * Many clients retry after every 5xx. If `mayHaveBeenCharged` is true, also send `x-should-retry: false`, so that
 * clients that know this header do not retry.
 *
 * @category converting
 * @since 0.1.0
 */
export const httpStatus = (reason: GradientErrorReason): number => {
  if (reason._tag === "ConnectionError") return reason.isRetryable ? 503 : 502
  if (reason._tag === "InternalServerError" && reason.status === 503) return reason.mayHaveBeenCharged ? 502 : 503
  if (reason._tag === "InternalServerError") return reason.status === 504 ? 504 : 502
  if (reason._tag === "BadRequestError") return reason.status === 408 ? 504 : 400
  if (reason._tag === "StoreError" && reason.code === errorCodes.imagesLost) return 410
  if (reason._tag === "JournalError" || reason._tag === "StoreError") return reason.phase === "before" ? 503 : 502
  return statuses[reason._tag]
}

const statuses = {
  InvalidParamsError: 400,
  AuthenticationError: 502,
  PermissionDeniedError: 502,
  NotFoundError: 404,
  ConflictError: 409,
  UnprocessableEntityError: 422,
  ContentPolicyError: 400,
  QuotaExceededError: 502,
  RateLimitError: 429,
  BudgetExceededError: 502,
  RequestTimeoutError: 504,
  DisconnectedError: 502,
  InvalidResponseError: 502,
  IncompleteStreamError: 502,
  InDoubtError: 409,
  ExpiredError: 410
} as const
