/**
 * Every way to fail. There is one error, `GradientError`; its `reason` tells what happened, whether asking again can
 * help, and whether an image may have been charged for.
 *
 * What may have been charged is decided here and nowhere else, by how far the attempt came: its `progress`.
 */
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as Schema from "effect/Schema"
import { GeneratedImage } from "./GeneratedImage.ts"
import { optional } from "./internal/schemaFields.ts"
import { RateLimit } from "./RateLimit.ts"

/**
 * How far an attempt came. `NotSent` is proven, never guessed; `Sent`: sent, as far as is known, and not answered;
 * `Refused`: answered, but not with 200; `Accepted`: answered with 200.
 *
 * @category models
 */
export const Progress = Schema.Literals(["NotSent", "Sent", "Refused", "Accepted"])

/** @category models */
export type Progress = typeof Progress.Type

/** What the two rules look at. */
interface Facts {
  readonly _tag: string
  readonly progress: Progress
  readonly status?: number | undefined
  readonly code?: string | undefined
  readonly retryAfter?: Duration.Duration | undefined
  readonly shouldRetry?: boolean | undefined
  readonly images: ReadonlyArray<unknown>
}

const isBusy = ({ retryAfter, status }: Facts) => status === 503 && retryAfter !== undefined

/** A gateway's answer to the second of two requests with one attempt id: the first one is at work. */
const isDuplicate = ({ code }: Facts) => code === "duplicate_attempt"

/**
 * Whether an image may have been charged for: one line for each progress.
 *
 * @category rules
 */
export const charged: { readonly [P in Progress]: (facts: Facts) => boolean } = {
  NotSent: () => false,
  Sent: () => true,
  Refused: (facts) => isDuplicate(facts) || ((facts.status ?? 0) >= 500 && !isBusy(facts)),
  Accepted: ({ _tag, images }) => _tag !== "ContentPolicyError" || images.length > 0
}

/** What a reason says of itself. */
interface Row {
  readonly summary: string
  readonly advice?: string
  /** It can pass by itself, so that asking again can help. */
  readonly passes?: true
}

/**
 * One row for each reason: what happened, what to do about it, and whether it can pass by itself.
 *
 * @category rules
 */
export const reasons = {
  InvalidParamsError: { summary: "The request cannot be made", advice: "Nothing was sent." },
  AuthenticationError: {
    summary: "The key was refused",
    advice: "Set GRADIENT_MODEL_ACCESS_KEY to a model access key: cloud.digitalocean.com, Serverless Inference."
  },
  PermissionDeniedError: {
    summary: "The key may not do this",
    advice: "Use one that has access to this model."
  },
  NotFoundError: {
    summary: "There is no such endpoint or model",
    advice: "Check the base URL and the model."
  },
  ConflictError: { summary: "The request is in conflict with another", passes: true },
  UnprocessableEntityError: { summary: "The params were refused" },
  BadRequestError: { summary: "The request was refused" },
  ContentPolicyError: { summary: "Moderation refused it", advice: "Change the prompt." },
  QuotaExceededError: {
    summary: "The credit has run out",
    advice: "Add credit, or raise the account's limit."
  },
  RateLimitError: { summary: "Too many requests", advice: "Ask less often.", passes: true },
  ConnectionError: {
    summary: "No connection, and nothing was sent",
    advice: "Check the network and the base URL.",
    passes: true
  },
  InternalServerError: { summary: "The service failed", passes: true },
  RequestTimeoutError: {
    summary: "The time ran out",
    advice: "A high-quality image takes minutes: allow more.",
    passes: true
  },
  DisconnectedError: {
    summary: "The connection broke",
    advice: "Proxies close idle connections: streaming keeps them busy.",
    passes: true
  },
  InvalidResponseError: {
    summary: "The reply is not what the API promises",
    advice: "Check that the base URL is a compatible service's."
  },
  IncompleteStreamError: {
    summary: "The stream ended before the image was complete",
    advice: "What had arrived is in `images`.",
    passes: true
  }
} as const satisfies Record<string, Row>

const hasRow = (tag: string): tag is keyof typeof reasons => tag in reasons

const rowOf = (tag: string): Row => (hasRow(tag) ? reasons[tag] : { summary: tag })

const passes = (facts: Facts): boolean =>
  facts.shouldRetry ?? (facts.status === 408 || rowOf(facts._tag).passes === true)

const sentence = (text: string) => (/[.!?]$/.test(text) ? text : `${text}.`)

/** What all reasons have. */
class Reason extends Schema.Error<Reason>("@effect-gradient/core/GradientError/Reason")({
  progress: Progress,
  /** What the API, or the transport, said. */
  description: optional(Schema.String),
  /** HTTP status, where there was a response. */
  status: optional(Schema.Int),
  /** Header `x-request-id`, else `request_id` of the error's body. */
  requestId: optional(Schema.String),
  /** The response's headers; those that can hold a secret are redacted. */
  headers: optional(Schema.Record(Schema.String, Schema.String)),
  /** `code`, `type` and `param` of the API's error. */
  code: optional(Schema.String),
  type: optional(Schema.String),
  param: optional(Schema.String),
  /** Headers `retry-after-ms` and `retry-after`. */
  retryAfter: optional(Schema.Duration),
  /** Header `x-should-retry`. */
  shouldRetry: optional(Schema.Boolean),
  /** What was paid for and is not lost: images that were decoded and not given out; of a stream, the last partial. */
  images: Schema.Array(GeneratedImage).pipe(Schema.withConstructorDefault(Effect.succeed([]))),
  /** The transport's own error. */
  cause: Schema.optional(Schema.Defect())
}) {
  declare readonly _tag: string

  /** Whether the failure can pass by itself, so that asking again can help. Says nothing about the bill. */
  get isRetryable(): boolean {
    return passes(this)
  }

  /** Whether an image may have been generated, and so charged for, in spite of the failure. */
  get mayHaveBeenCharged(): boolean {
    return charged[this.progress](this)
  }

  override get message(): string {
    const row = rowOf(this._tag)
    const status = this.status === undefined ? "" : ` (${this.status})`
    const what =
      this.description === undefined ? `${row.summary}${status}` : `${row.summary}${status}: ${this.description}`
    const bill = this.mayHaveBeenCharged && "It may have been charged for."
    const request = this.requestId !== undefined && `Request id: ${this.requestId}.`
    const wait = this.retryAfter !== undefined && `Ask again in ${Duration.toSeconds(this.retryAfter)} s.`
    return [sentence(what), wait || row.advice, bill, request].filter(Boolean).join(" ")
  }

  override toJSON(): unknown {
    const { isRetryable, mayHaveBeenCharged, message } = this
    return { ...this, message, isRetryable, mayHaveBeenCharged }
  }
}

const fields = <const Tag extends keyof typeof reasons>(tag: Tag, progress: Progress = "Refused") => ({
  _tag: Schema.tag(tag),
  progress: Progress.pipe(Schema.withConstructorDefault(Effect.succeed(progress)))
})

const id = <const Tag extends string>(tag: Tag) => `@effect-gradient/core/GradientError/${tag}` as const

/** A reason with the fields that all have, and no others. */
// oxlint-disable typescript/no-unnecessary-type-parameters -- the class that is made has both in its type
const plain =
  <Self>() =>
  <const Tag extends keyof typeof reasons>(tag: Tag, progress?: Progress) =>
    Reason.extend<Self>(id(tag))(fields(tag, progress))
// oxlint-enable typescript/no-unnecessary-type-parameters

/** @category reasons */
export class InvalidParamsError extends Reason.extend<InvalidParamsError>(id("InvalidParamsError"))({
  ...fields("InvalidParamsError", "NotSent"),
  /** Every broken rule: the param, with what was given and what is allowed. */
  issues: Schema.Array(Schema.Struct({ param: Schema.String, message: Schema.String })).pipe(
    Schema.withConstructorDefault(Effect.succeed([]))
  )
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
export class NotFoundError extends plain<NotFoundError>()("NotFoundError") {}

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
export class BadRequestError extends plain<BadRequestError>()("BadRequestError") {}

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
 * 429. `limit`, `remaining` and `resetAt` are there where the headers gave them.
 *
 * @category reasons
 */
export class RateLimitError extends Reason.extend<RateLimitError>(id("RateLimitError"))({
  ...fields("RateLimitError"),
  ...RateLimit.fields
}) {}

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
  /** What was waited for: a connection, the response, or the next bytes of its body. */
  phase: Schema.Literals(["connect", "response", "idle"])
}) {}

/**
 * The connection broke, and it is not proven that nothing was sent.
 *
 * @category reasons
 */
export class DisconnectedError extends plain<DisconnectedError>()("DisconnectedError", "Sent") {}

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
  IncompleteStreamError
])

/** @category reasons */
export type GradientErrorReason = typeof GradientErrorReason.Type

/**
 * What one attempt of a call met.
 *
 * @category models
 */
export const Attempt = Schema.Struct({
  reason: GradientErrorReason,
  /** From its start to its failure. */
  elapsed: Schema.Duration
})

/** @category models */
export type Attempt = typeof Attempt.Type

/**
 * The one error of this library. Match on its `reason` with `Effect.catchReason`; print its `message` to a person.
 *
 * @category errors
 */
export class GradientError extends Schema.TaggedError<GradientError>("@effect-gradient/core/GradientError")(
  "GradientError",
  {
    reason: GradientErrorReason,
    /** Every attempt of the call, the last included; none where nothing was tried. */
    attempts: Schema.Array(Attempt).pipe(Schema.withConstructorDefault(Effect.succeed([]))),
    cause: Schema.optional(Schema.Defect())
  }
) {
  /** Whether the reason can pass by itself. */
  get isRetryable(): boolean {
    return this.reason.isRetryable
  }

  /** Whether this attempt or one before it may have been charged for. */
  get mayHaveBeenCharged(): boolean {
    return this.reason.mayHaveBeenCharged || this.attempts.some(({ reason }) => reason.mayHaveBeenCharged)
  }

  override get message(): string {
    const attempts = this.attempts.length > 1 ? ` (${this.attempts.length} attempts)` : ""
    return `${this.reason.message}${attempts}`
  }
}

/**
 * The error with this reason, which keeps the transport's cause.
 *
 * @category constructors
 */
export const fromReason = (reason: GradientErrorReason, attempts: ReadonlyArray<Attempt> = []): GradientError =>
  new GradientError({ reason, attempts, ...(reason.cause === undefined ? {} : { cause: reason.cause }) })
