/**
 * The API's error form, `{ error: { message, type, param, code } }`, one schema for each status; and what failures
 * behind the gateway come to in it: the same status where there is one, in the gateway's own words.
 */
import { GradientError } from "@effect-gradient/core"
import * as Duration from "effect/Duration"
import * as HttpApiSchema from "effect/http-api/HttpApiSchema"
import * as Schema from "effect/Schema"

const Body = Schema.Struct({
  error: Schema.Struct({
    message: Schema.String,
    type: Schema.String,
    param: Schema.NullOr(Schema.String),
    code: Schema.NullOr(Schema.String)
  }).annotate({ identifier: "Error" })
})

const Headers = Schema.Struct({
  /** Seconds. */
  "retry-after": Schema.optionalKey(Schema.String),
  /** `false` where asking again could pay a second time. */
  "x-should-retry": Schema.optionalKey(Schema.Literals(["true", "false"])),
  "www-authenticate": Schema.optionalKey(Schema.Literal("Bearer"))
})

/** Every status of a refusal or a failure. */
const meanings = {
  400: "The request is refused: the message names what to change. Also what moderation refuses.",
  401: "No credentials, or wrong ones.",
  402: "The credit of the service behind has run out.",
  403: "The origin is not allowed, or the service behind does not permit this.",
  404: "The service behind has no such model.",
  408: "The service behind gave up waiting for the request.",
  409: "This attempt is at work already, or was: code duplicate_attempt. It may have been charged for.",
  413: "The body is too large.",
  415: "The body is not JSON.",
  422: "The request is understood and refused.",
  429: "Too many images: retry-after tells how long to wait.",
  500: "The gateway or the service behind failed.",
  502: "The service behind gave no proper answer, and may have charged for it.",
  503: "The service behind is busy or cannot be reached; with retry-after, nothing was charged for.",
  504: "The service behind did not answer in time, and may charge for it."
} as const

type Status = keyof typeof meanings

const isStatus = (status: number): status is Status => Object.hasOwn(meanings, status)

export interface ErrorOf<S extends Status> {
  readonly status: S
  readonly error: (typeof Body.Type)["error"]
  readonly headers: typeof Headers.Type
}

export interface Answer {
  readonly body: typeof Body.Encoded
  readonly headers: typeof Headers.Encoded
}

/** Of a named type, which keeps the declarations of the API short. */
const answer = <const S extends Status>(status: S): Schema.Codec<ErrorOf<S>, Answer> =>
  Schema.Struct({ status: Schema.Literal(status), ...Body.fields, headers: Headers }).pipe(
    HttpApiSchema.encodeToWithHeaders(
      {
        body: Body.annotate({ description: meanings[status] }).pipe(HttpApiSchema.status(status)),
        headers: Headers.fields
      },
      {
        decode: ({ body, headers }) => ({ status, error: body.error, headers }),
        encode: ({ error, headers }) => ({ body: { error }, headers })
      }
    )
  )

/** A schema for each, since a status belongs to a schema. */
export const errors = [
  answer(400),
  answer(401),
  answer(402),
  answer(403),
  answer(404),
  answer(408),
  answer(409),
  answer(413),
  answer(415),
  answer(422),
  answer(429),
  answer(500),
  answer(502),
  answer(503),
  answer(504)
] as const

export type ApiError = { readonly [S in Status]: ErrorOf<S> }[Status]

const types: { readonly [status: number]: string } = {
  401: "authentication_error",
  402: "billing_error",
  403: "permission_error",
  404: "not_found_error",
  429: "rate_limit_error"
}

export const make = (
  status: Status,
  message: string,
  more: { readonly param?: string; readonly code?: string; readonly headers?: ApiError["headers"] } = {}
): ApiError => ({
  status,
  error: {
    message,
    type: types[status] ?? (status < 500 ? "invalid_request_error" : "server_error"),
    param: more.param ?? null,
    code: more.code ?? null
  },
  headers: more.headers ?? {}
})

/** What is wrong with a param. */
export interface Issue {
  /** Its name on the wire; empty for the whole body. */
  readonly param: string
  /** A sentence that names it. */
  readonly message: string
}

/** All issues in one message; `param` is the first one's. */
export const fromIssues = (issues: ReadonlyArray<Issue>): ApiError => {
  const messages = issues.map(({ message }) => message)
  const param = issues.find((issue) => issue.param !== "")?.param
  return make(400, `Invalid request: ${shorten(messages.join("; "))}.`, {
    code: "invalid_value",
    ...(param === undefined ? {} : { param: shorten(param) })
  })
}

const shorten = (text: string) => (text.length <= 1000 ? text : `${text.slice(0, 1000)}...`)

const statusOf = (reason: GradientError.GradientErrorReason): Status => {
  if (reason.progress === "NotSent") return reason.isRetryable ? 503 : 500
  if (reason._tag === "RequestTimeoutError") return 504
  const answered = reason.status ?? 502
  if (isStatus(answered)) return answered
  return answered >= 400 && answered < 500 ? 400 : 502
}

/** The code by which a client tells these apart, where the service behind named none. */
const codes: { readonly [Tag in GradientError.GradientErrorReason["_tag"]]?: string } = {
  ContentPolicyError: "content_policy_violation",
  QuotaExceededError: "insufficient_quota",
  RateLimitError: "rate_limit_exceeded"
}

/** Only what is a plain name is taken over from behind: no text, which could hold a URL or a part of the key. */
const plain = (name: string | undefined) => (name !== undefined && /^[a-z][a-z_]{0,63}$/.test(name) ? name : undefined)

/** What a failure behind the gateway is to the caller. */
export const fromGradientError = ({ mayHaveBeenCharged, reason }: GradientError.GradientError): ApiError => {
  const { summary } = GradientError.reasons[reason._tag]
  const isUnsent = reason.progress === "NotSent" && reason.isRetryable
  const retryAfter = reason.retryAfter ?? (isUnsent ? Duration.seconds(1) : undefined)
  // Other clients ask again after any 5xx, and would pay again.
  const shouldRetry = mayHaveBeenCharged ? false : reason.shouldRetry
  const code = plain(reason.code) ?? codes[reason._tag]
  const param = plain(reason.param)
  return make(
    statusOf(reason),
    `The service behind the gateway: ${summary}.${mayHaveBeenCharged ? " It may have been charged for." : ""}`,
    {
      ...(code === undefined ? {} : { code }),
      ...(param === undefined ? {} : { param }),
      headers: {
        ...(retryAfter === undefined ? {} : { "retry-after": String(Math.ceil(Duration.toSeconds(retryAfter))) }),
        ...(shouldRetry === undefined ? {} : { "x-should-retry": shouldRetry ? "true" : "false" })
      }
    }
  )
}

/** The error as the last event of a stream. */
export const toEvent = ({ error }: ApiError): Uint8Array =>
  new TextEncoder().encode(`event: error\ndata: ${JSON.stringify({ error })}\n\n`)
