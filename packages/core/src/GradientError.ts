/**
 * Every way to fail. There is one error, `GradientError`. Its `reason` says what happened, whether a retry may succeed,
 * and whether an image may have been charged for.
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
import { nextReset, RateLimit } from "./RateLimit.ts"

/**
 * How far an attempt came. `NotSent` is proven, never guessed; `Sent`: sent, as far as is known, and not answered;
 * `ErrorStatus`: answered, but not with 200; `Accepted`: answered with 200.
 *
 * @category models
 */
export const Reached = Schema.Literals(["NotSent", "Sent", "ErrorStatus", "Accepted"])

/** @category models */
export type Reached = typeof Reached.Type

/** What a person reads about a reason. */
interface Row {
  readonly summary: string
  /** What to do about it. */
  readonly advice: string
  /** The failure is temporary; a retry may succeed. */
  readonly isTemporary?: true
}

const unknownOutcome = "Retry only if paying twice is acceptable."

/**
 * One row for each reason: what happened, what to do about it, and whether it is temporary.
 *
 * @category rules
 */
export const reasons = {
  InvalidParamsError: {
    summary: "The request is invalid",
    advice: "Correct what is named here. Nothing was sent."
  },
  AuthenticationError: {
    summary: "The key was refused",
    advice:
      "Set GRADIENT_MODEL_ACCESS_KEY to a model access key. Make one at cloud.digitalocean.com, under Serverless Inference."
  },
  PermissionDeniedError: {
    summary: "The key has no permission for this",
    advice: "Use a key that has access to this model."
  },
  NotFoundError: {
    summary: "The service has no such endpoint or model",
    advice: "Check the base URL and the name of the model."
  },
  ConflictError: {
    summary: "The request conflicts with another one",
    advice: "Wait for the other one, or use another idempotency key.",
    isTemporary: true
  },
  UnprocessableEntityError: { summary: "The params were refused", advice: "Correct the params." },
  BadRequestError: { summary: "The request was refused", advice: "Change the request." },
  ContentPolicyError: { summary: "Moderation refused the request", advice: "Change the prompt." },
  QuotaExceededError: {
    summary: "The credit of the account is used up",
    advice: "Add credit, or raise the account's limit."
  },
  RateLimitError: {
    summary: "Too many requests",
    advice: "Wait before the next request, or send fewer at a time.",
    isTemporary: true
  },
  ConnectionError: {
    summary: "No connection could be made, so nothing was sent",
    advice: "Check the network and the base URL.",
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
    summary: "The response does not follow the API",
    advice: "Check that the base URL is that of a compatible service."
  },
  IncompleteStreamError: {
    summary: "The stream ended before the image was complete",
    advice: unknownOutcome,
    isTemporary: true
  },
  InDoubtError: {
    summary: "An earlier request under this key may have been charged for, and its outcome is unknown",
    advice: "Nothing is sent under this key until a person decides: `DurableImages.resolve`."
  },
  ExpiredError: {
    summary: "The images of this key were generated, and have been removed",
    advice: "Nothing was sent. `DurableImages.forget` allows the key to pay again."
  },
  JournalError: { summary: "The journal of generations failed", advice: "" },
  StoreError: { summary: "The store of images failed", advice: "" }
} as const satisfies Record<string, Row>

const idleProxies = "Proxies close idle connections"

/** What was waited for when the time ran out, and what helps against each. */
const phases = {
  connect: "Check the network and the host of the base URL.",
  response: "A high-quality image takes 2 to 4 minutes: raise `timeout`.",
  idle: `${idleProxies}: stream with partial images, or raise \`idleTimeout\`.`,
  deadline: "Raise `deadline`, or ask for fewer images at a time."
} as const

const hasRow = (tag: string): tag is keyof typeof reasons => tag in reasons

/** Reasons of other packages have no row. */
const rowOf = (tag: string): Row => (hasRow(tag) ? reasons[tag] : { summary: tag, advice: "" })

const sentence = (text: string) => (/[.!?]$/.test(text) ? text : `${text}.`)

/** A status of 2xx says nothing about a failure. */
const failureStatus = (status: number | undefined) =>
  status === undefined || (status >= 200 && status < 300) ? "" : ` (${status})`

const isNumber = /^\d+$/

const seconds = (duration: Duration.Duration) => Math.ceil(Duration.toSeconds(duration) * 10) / 10

/** The fields of every reason. */
class Reason extends Schema.Error<Reason>("@effect-gradient/core/GradientError/Reason")({
  reached: Reached,
  /** The words of the service, or of the transport. */
  description: optional(Schema.String),
  /** HTTP status, if there was a response. */
  status: optional(Schema.Int),
  /** Header `x-request-id`, else `request_id` of the error's body. */
  requestId: optional(Schema.String),
  /** The response's headers; those that can hold a secret are redacted. */
  headers: optional(Schema.Record(Schema.String, Schema.String)),
  /** `code`, `type` and `param` of the service's error. */
  code: optional(Schema.String),
  type: optional(Schema.String),
  param: optional(Schema.String),
  /** How long the service asks to wait: header `retry-after-ms`, else `retry-after`. */
  retryAfter: optional(Schema.Duration),
  /** Header `x-should-retry`. */
  shouldRetry: optional(Schema.Boolean),
  /** Whether the request was one that costs nothing, such as listing models. */
  isFree: optional(Schema.Boolean),
  /** Images that were paid for and decoded, and not given to the caller; for a stream, the last partial image. */
  images: Schema.Array(GeneratedImage).pipe(Schema.withConstructorDefault(Effect.succeed([]))),
  /** The transport's own error. */
  cause: Schema.optional(Schema.Defect())
}) {
  declare readonly _tag: string

  /** Whether the failure is temporary, so that a retry may succeed. Says nothing about the bill. */
  get isRetryable(): boolean {
    return this.shouldRetry ?? (this.status === 408 || rowOf(this._tag).isTemporary === true)
  }

  /** Whether an image may have been generated, and so charged for, in spite of the failure. */
  get mayHaveBeenCharged(): boolean {
    return this.isFree !== true && charged[this.reached](this)
  }

  /** What happened, in a few words: the beginning of `message`. */
  get summary(): string {
    return rowOf(this._tag).summary
  }

  /** What to do about it, in one or two sentences. */
  get advice(): string {
    return rowOf(this._tag).advice
  }

  override get message(): string {
    const what = `${this.summary}${failureStatus(this.status)}`
    const words = this.description ?? (isNumber.test(this.code ?? "0") ? undefined : this.code)
    const wait = this.isRetryable && this.retryAfter !== undefined && `Retry in ${seconds(this.retryAfter)} s.`
    return [
      sentence(words === undefined ? what : `${what}: ${words}`),
      wait || this.advice,
      this.images.length > 0 && "What had arrived is in `images`.",
      this.mayHaveBeenCharged && "It may have been charged for.",
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

const fields = <const Tag extends keyof typeof reasons>(tag: Tag, reached: Reached = "ErrorStatus") => ({
  _tag: Schema.tag(tag),
  reached: Reached.pipe(Schema.withConstructorDefault(Effect.succeed(reached)))
})

const id = <const Tag extends string>(tag: Tag) => `@effect-gradient/core/GradientError/${tag}` as const

/** A reason with the fields that all have, and no others. */
// oxlint-disable typescript/no-unnecessary-type-parameters -- the class that is made has both in its type
const plain =
  <Self>() =>
  <const Tag extends keyof typeof reasons>(tag: Tag, reached?: Reached) =>
    Reason.extend<Self>(id(tag))(fields(tag, reached))
// oxlint-enable typescript/no-unnecessary-type-parameters

/** @category reasons */
export class InvalidParamsError extends Reason.extend<InvalidParamsError>(id("InvalidParamsError"))({
  ...fields("InvalidParamsError", "NotSent"),
  /** Every broken rule: the param, with what was given and what is allowed. */
  issues: Schema.Array(Issue).pipe(Schema.withConstructorDefault(Effect.succeed([])))
}) {}

/**
 * 401: the key is missing or wrong.
 *
 * @category reasons
 */
export class AuthenticationError extends plain<AuthenticationError>()("AuthenticationError") {}

/**
 * 403: the key may not do this.
 *
 * @category reasons
 */
export class PermissionDeniedError extends plain<PermissionDeniedError>()("PermissionDeniedError") {}

/**
 * 404: no such endpoint or model.
 *
 * @category reasons
 */
export class NotFoundError extends Reason.extend<NotFoundError>(id("NotFoundError"))({
  ...fields("NotFoundError"),
  /** The model that does not exist, if the service's words are about the model. */
  model: optional(Schema.String)
}) {
  override get summary(): string {
    return this.model === undefined ? super.summary : "There is no such model"
  }

  override get advice(): string {
    return this.model === undefined
      ? super.advice
      : "Name another one as `model` or in GRADIENT_IMAGE_MODEL; `Models.list` and `gradient-images models` list them."
  }
}

/**
 * 409: in conflict with another request.
 *
 * @category reasons
 */
export class ConflictError extends plain<ConflictError>()("ConflictError") {}

/**
 * 422: understood and refused.
 *
 * @category reasons
 */
export class UnprocessableEntityError extends plain<UnprocessableEntityError>()("UnprocessableEntityError") {}

/**
 * Another 4xx.
 *
 * @category reasons
 */
export class BadRequestError extends plain<BadRequestError>()("BadRequestError") {
  override get advice(): string {
    return this.status === 408 ? "Try again." : super.advice
  }
}

/**
 * Refused by moderation.
 *
 * @category reasons
 */
export class ContentPolicyError extends plain<ContentPolicyError>()("ContentPolicyError") {}

/**
 * The credit has run out.
 *
 * @category reasons
 */
export class QuotaExceededError extends plain<QuotaExceededError>()("QuotaExceededError") {}

/**
 * 429, with the limits that the headers gave.
 *
 * @category reasons
 */
export class RateLimitError extends Reason.extend<RateLimitError>(id("RateLimitError"))({
  ...fields("RateLimitError"),
  ...RateLimit.fields
}) {
  override get advice(): string {
    const reset = nextReset(this)
    return reset === undefined ? super.advice : `The limit is reset at ${DateTime.formatIso(reset)}.`
  }
}

/**
 * Proven: no request was sent.
 *
 * @category reasons
 */
export class ConnectionError extends plain<ConnectionError>()("ConnectionError", "NotSent") {}

/**
 * 5xx, or an error within a stream that is none of the others.
 *
 * @category reasons
 */
export class InternalServerError extends plain<InternalServerError>()("InternalServerError") {}

/**
 * The time ran out.
 *
 * @category reasons
 */
export class RequestTimeoutError extends Reason.extend<RequestTimeoutError>(id("RequestTimeoutError"))({
  ...fields("RequestTimeoutError", "Sent"),
  /** What was waited for: a connection, the response, the next bytes of its body, or the end of the stream. */
  phase: Schema.Literals(["connect", "response", "idle", "deadline"])
}) {
  override get advice(): string {
    return phases[this.phase]
  }
}

/**
 * The connection broke, and it is not proven that nothing was sent.
 *
 * @category reasons
 */
export class DisconnectedError extends plain<DisconnectedError>()("DisconnectedError", "Sent") {
  override get advice(): string {
    return this.reached === "Accepted" ? `${idleProxies}: streaming with partial images keeps them busy.` : super.advice
  }
}

/**
 * Not what the API promises: `description` has the path. Also a redirect, which is not followed.
 *
 * @category reasons
 */
export class InvalidResponseError extends Reason.extend<InvalidResponseError>(id("InvalidResponseError"))({
  ...fields("InvalidResponseError", "Accepted"),
  /** Addresses of images that were given in place of bytes. They are paid for, and the addresses may soon expire. */
  urls: Schema.Array(Schema.String).pipe(Schema.withConstructorDefault(Effect.succeed([])))
}) {}

/**
 * The stream ended before `Completed`.
 *
 * @category reasons
 */
export class IncompleteStreamError extends plain<IncompleteStreamError>()("IncompleteStreamError", "Accepted") {}

/**
 * A request under this idempotency key was sent and has no outcome: its process was killed, or its connection broke. It
 * is not sent again without a person's decision.
 *
 * @category reasons
 */
export class InDoubtError extends Reason.extend<InDoubtError>(id("InDoubtError"))({
  ...fields("InDoubtError", "Sent"),
  key: Schema.String,
  /** The number of the attempt that is in doubt. */
  attempt: Schema.Int,
  /** When it was sent. */
  since: Schema.DateTimeUtc,
  /** Whether a person gave it up. */
  abandoned: Schema.Boolean
}) {
  override get summary(): string {
    return this.abandoned ? "The generation under this key was abandoned, and may have been charged for" : super.summary
  }
}

/**
 * The generation under this idempotency key was completed, and its images have been removed from the store.
 *
 * @category reasons
 */
export class ExpiredError extends Reason.extend<ExpiredError>(id("ExpiredError"))({
  ...fields("ExpiredError", "NotSent"),
  key: Schema.String
}) {}

const phase = Schema.Literals(["before", "after"])

const phaseAdvice = {
  before: "Nothing was sent. Try again when it can be reached.",
  after: "The request had been sent. Asking again with the same key does not pay twice."
} as const

/**
 * The journal of generations could not be reached, or refused. Before: nothing was sent. After: the outcome could be
 * kept neither in the store nor in the journal; the images are in `images`.
 *
 * @category reasons
 */
export class JournalError extends Reason.extend<JournalError>(id("JournalError"))({
  ...fields("JournalError", "NotSent"),
  phase
}) {
  override get advice(): string {
    return phaseAdvice[this.phase]
  }
}

/**
 * The store of images could not be reached, is full, or refused. Before: nothing was sent. After: the images that it did
 * not take are in `images`.
 *
 * @category reasons
 */
export class StoreError extends Reason.extend<StoreError>(id("StoreError"))({
  ...fields("StoreError", "NotSent"),
  phase
}) {
  override get advice(): string {
    return phaseAdvice[this.phase]
  }
}

/**
 * The reasons of a `GradientError`.
 *
 * @category reasons
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

/** @category reasons */
export type GradientErrorReason = typeof GradientErrorReason.Type

/**
 * One failed attempt of a call.
 *
 * @category models
 */
export const FailedAttempt = Schema.Struct({
  reason: GradientErrorReason,
  /** From its start to its failure. */
  elapsed: Schema.Duration
})

/** @category models */
export type FailedAttempt = typeof FailedAttempt.Type

const TypeId = "~@effect-gradient/core/GradientError"

/**
 * The only error of this library. Match on its `reason` with `Effect.catchReason`; show its `message` to a person.
 *
 * @category errors
 */
export class GradientError extends Schema.TaggedError<GradientError>("@effect-gradient/core/GradientError")(
  "GradientError",
  {
    reason: GradientErrorReason,
    /** Every failed attempt of the call, the last included; empty if nothing was sent. */
    attempts: Schema.Array(FailedAttempt).pipe(Schema.withConstructorDefault(Effect.succeed([]))),
    cause: Schema.optional(Schema.Defect())
  }
) {
  /** Whether the failure is temporary, so that a retry may succeed. */
  get isRetryable(): boolean {
    return this.reason.isRetryable
  }

  /** Whether this attempt or one before it may have been charged for. */
  get mayHaveBeenCharged(): boolean {
    return this.reason.mayHaveBeenCharged || this.attempts.some(({ reason }) => reason.mayHaveBeenCharged)
  }

  /** Marks the error also if two copies of this package are installed. */
  get [TypeId](): typeof TypeId {
    return TypeId
  }

  override get message(): string {
    const attempts = this.attempts.length > 1 ? ` (${this.attempts.length} attempts)` : ""
    return `${this.reason.message}${attempts}`
  }
}

/**
 * The error with this reason. It keeps the transport's cause.
 *
 * @category constructors
 */
export const fromReason = (reason: GradientErrorReason, attempts: ReadonlyArray<FailedAttempt> = []): GradientError =>
  new GradientError({ reason, attempts, ...(reason.cause === undefined ? {} : { cause: reason.cause }) })

/**
 * Whether a value is a `GradientError`, such as one that was thrown by `Effect.runPromise`.
 *
 * @category guards
 */
export const isGradientError = (value: unknown): value is GradientError => Predicate.hasProperty(value, TypeId)

/**
 * The status that a server of your own should answer if a call fails for this reason.
 *
 * - What the caller can change keeps its status: 400 (also moderation and invalid params), 404, 409, 422, and 429. An
 *   idempotency key that is in doubt is 409, one whose images were removed is 410.
 * - What only the operator can change is 502: the key, its permission, the credit. A 401 would ask the caller for
 *   credentials that are right.
 * - 503: nothing was charged for, because nothing was sent or the service is busy; a retry is safe.
 * - 504: no answer in time. 502: any other failure.
 *
 * Many clients retry every 5xx by themselves. If `mayHaveBeenCharged` is true, also answer with `x-should-retry: false`.
 *
 * @category converting
 */
export const httpStatus = (reason: GradientErrorReason): number => {
  if (reason._tag === "ConnectionError") return reason.isRetryable ? 503 : 502
  if (reason._tag === "InternalServerError" && reason.status === 503) return reason.mayHaveBeenCharged ? 502 : 503
  if (reason._tag === "InternalServerError") return reason.status === 504 ? 504 : 502
  if (reason._tag === "BadRequestError") return reason.status === 408 ? 504 : 400
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
  RequestTimeoutError: 504,
  DisconnectedError: 502,
  InvalidResponseError: 502,
  IncompleteStreamError: 502,
  InDoubtError: 409,
  ExpiredError: 410
} as const
