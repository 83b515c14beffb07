/**
 * The reason of a response that is an error by its status, or by an object in the body of a 200.
 */
import type * as HttpClientResponse from "effect/http/HttpClientResponse"
import * as UrlParams from "effect/http/UrlParams"
import type { GeneratedImage } from "../../GeneratedImage.ts"
import * as GradientError from "../../GradientError.ts"
import { type HeadFields, readHead, rateLimitOf, retryAfterOf } from "../responseHead.ts"
import { errorBodyOf, parseErrorBody } from "./errorBody.ts"
import { reasonClassOfError, reasonClassOfStatus } from "./reasonClass.ts"

/** In browsers, fetch gives a redirect without its headers. */
const redirectDescription = (location: string | undefined): string =>
  location === undefined
    ? "a redirect, which is not followed (this runtime does not show where it leads)"
    : `a redirect to ${UrlParams.redactUrl(location)}, which is not followed`

/** The reason of a response whose status is not 2xx, from its head and the text of its body. `now` in milliseconds. */
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

/** The reason of an error object in a body whose status was 200. */
export const reasonOfErrorObject = (
  value: unknown,
  fields: HeadFields,
  images: ReadonlyArray<GeneratedImage>
): GradientError.GradientErrorReason => {
  const { status, ...body } = errorBodyOf(value)
  const Reason = reasonClassOfError({ status, ...body })
  return new Reason({ ...body, ...fields, requestId: fields.requestId ?? body.requestId, images, reached: "Accepted" })
}
