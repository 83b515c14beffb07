/**
 * The reason of a response that is an error by its status, or by an object in the body of a 200.
 */
import type * as HttpClientResponse from "effect/http/HttpClientResponse"
import * as UrlParams from "effect/http/UrlParams"
import type { GeneratedImage } from "../../GeneratedImage.ts"
import * as GradientError from "../../GradientError.ts"
import { type Facts, factsOf, rateLimitOf, retryAfterOf } from "../responseHead.ts"
import { errorBodyOf, parseErrorBody } from "./errorBody.ts"
import { reasonClassOfError, reasonClassOfStatus } from "./reasonClass.ts"

export { parseJson, tellsError } from "./errorBody.ts"
export { shorten } from "./visibleText.ts"

/** In browsers, fetch gives a redirect without its headers. */
const redirectWords = (location: string | undefined): string =>
  location === undefined
    ? "a redirect, which is not followed (this runtime does not show where it leads)"
    : `a redirect to ${UrlParams.redactUrl(location)}, which is not followed`

/** The reason of a response whose status is not 2xx, from its head and the text of its body. `now` in milliseconds. */
export const reasonOfAnswer = (
  response: HttpClientResponse.HttpClientResponse,
  text: string,
  now: number
): GradientError.GradientErrorReason => {
  const { headers, status } = response
  const { conceal, facts } = factsOf(response)
  const { status: _, ...body } = parseErrorBody(text, conceal)
  const Reason = reasonClassOfStatus(status, body)
  return new Reason({
    retryAfter: retryAfterOf(headers, now),
    shouldRetry: headers["x-should-retry"] === "true" || (headers["x-should-retry"] === "false" ? false : undefined),
    ...(Reason === GradientError.RateLimitError ? rateLimitOf(headers, now) : {}),
    ...body,
    ...facts,
    description: status < 400 ? conceal(redirectWords(headers["location"])) : body.description,
    requestId: facts.requestId ?? body.requestId,
    reached: "ErrorStatus"
  })
}

/** The reason of an error object in a body whose status was 200. */
export const reasonOfErrorObject = (
  value: unknown,
  facts: Facts,
  images: ReadonlyArray<GeneratedImage>
): GradientError.GradientErrorReason => {
  const { status, ...body } = errorBodyOf(value)
  const Reason = reasonClassOfError({ status, ...body })
  return new Reason({ ...body, ...facts, requestId: facts.requestId ?? body.requestId, images, reached: "Accepted" })
}
