/**
 * Builds the reason for a response with a status other than 2xx, and for an error object in a reply with status 2xx.
 */
import type * as HttpClientResponse from "effect/http/HttpClientResponse"
import type { GeneratedImage } from "../../GeneratedImage.ts"
import * as GradientError from "../../GradientError.ts"
import { type HeadFields, readHead, rateLimitOf, retryAfterOf } from "../responseHead.ts"
import { errorBodyOf, parseErrorBody } from "./errorBody.ts"
import { reasonClassOfError, reasonClassOfStatus } from "./reasonClass.ts"
import { redactUrl } from "../redaction.ts"

/**
 * Describes a redirect. `location` is undefined if the response has no such header, and in browsers, because their
 * fetch hides the headers of a redirect.
 */
const redirectDescription = (location: string | undefined): string =>
  location === undefined
    ? "a redirect, which is not followed (no header shows where it leads)"
    : `a redirect to ${redactUrl(location)}, which is not followed`

/**
 * The reason for a response with a status other than 2xx, from its head and its body. `now` is in milliseconds since
 * 1970.
 */
export const reasonOfResponse = (
  response: HttpClientResponse.HttpClientResponse,
  text: string,
  now: number
): GradientError.GradientErrorReason => {
  const { headers, status } = response
  const { redact, fields } = readHead(response)
  const { status: _, ...body } = parseErrorBody(text, redact)
  const Reason = reasonClassOfStatus(status, body)
  return new Reason({
    retryAfter: retryAfterOf(headers, now),
    shouldRetry: headers["x-should-retry"] === "true" || (headers["x-should-retry"] === "false" ? false : undefined),
    ...(Reason === GradientError.RateLimitError ? rateLimitOf(headers, now) : {}),
    ...body,
    ...fields,
    description: status < 400 ? redact(redirectDescription(headers["location"])) : body.description,
    requestId: fields.requestId ?? body.requestId,
    reached: "ErrorStatus"
  })
}

export const reasonOfErrorObject = (
  value: unknown,
  fields: HeadFields,
  images: ReadonlyArray<GeneratedImage>
): GradientError.GradientErrorReason => {
  const { status, ...body } = errorBodyOf(value)
  const Reason = reasonClassOfError({ status, ...body })
  return new Reason({ ...body, ...fields, requestId: fields.requestId ?? body.requestId, images, reached: "Accepted" })
}
