/**
 * What a failure of the transport comes to. That nothing was sent is proven, by a mark that the transport set or by a
 * cause that can only come before; otherwise the request may be at work, and be charged for.
 */
import type * as HttpClientError from "effect/http/HttpClientError"
import * as UrlParams from "effect/http/UrlParams"
import * as Predicate from "effect/Predicate"
import * as GradientError from "../../GradientError.ts"
import { property } from "../property.ts"

const NotSent = Symbol.for("@effect-gradient/core/NotSent")

/** Marks an error of a transport as met before anything of the request was sent. For those who write transports. */
export const markNotSent = (error: object): void => {
  Object.defineProperty(error, NotSent, { value: true })
}

/** The error, its causes and, where several addresses were tried, the error of each. */
const causes = (error: unknown): ReadonlyArray<object> => {
  const found: Array<object> = []
  const open: Array<unknown> = [error]
  while (open.length > 0 && found.length < 32) {
    const next = open.shift()
    if (!Predicate.isObject(next)) continue
    found.push(next)
    const errors: unknown = property(next, "errors")
    open.push(property(next, "cause"))
    if (isList(errors)) open.push(...errors)
  }
  return found
}

const isList = (value: unknown): value is ReadonlyArray<unknown> => Array.isArray(value)

const isBeforeSending = (error: object): boolean =>
  Predicate.hasProperty(error, NotSent) ||
  property(error, "code") === "UND_ERR_CONNECT_TIMEOUT" ||
  property(error, "syscall") === "connect" ||
  property(error, "syscall") === "getaddrinfo"

/** The innermost says the most: undici's and fetch's own messages are "terminated" and "fetch failed". */
const messageOf = (chain: ReadonlyArray<object>): string | undefined =>
  chain
    .map((error) => property(error, "message"))
    .findLast((message): message is string => Predicate.isString(message) && message !== "")

/** Of undici, for a header or a method; and of zlib, for a content-encoding. */
const cannotBeSent = /^UND_ERR_(INVALID_ARG|NOT_SUPPORTED)$/
const cannotBeDecoded = /^(Z_|ZSTD_|ERR__ERROR|ERR_BROTLI)/

const phases = new Map<unknown, "connect" | "response" | "idle">([
  ["UND_ERR_CONNECT_TIMEOUT", "connect"],
  ["UND_ERR_HEADERS_TIMEOUT", "response"],
  ["UND_ERR_BODY_TIMEOUT", "idle"]
])

/** The reason of a failure on the way, before the head of a response or within its body. */
export const reasonOfFailure = (
  error: HttpClientError.HttpClientError,
  facts: Partial<Pick<GradientError.GradientErrorReason, "headers" | "images" | "requestId" | "status">> = {}
): GradientError.GradientErrorReason => {
  const { reason } = error
  // The cause of an invalid URL repeats it, and there can be a password in it.
  if (reason._tag === "InvalidUrlError") {
    return new GradientError.InvalidParamsError({
      description: `no valid URL: ${UrlParams.redactUrl(reason.request.url)}`
    })
  }
  const chain = causes(reason.cause)
  const codes = chain.map((cause) => String(property(cause, "code")))
  const phase = codes.map((code) => phases.get(code)).find((found) => found !== undefined)
  const isAnswered = "response" in reason
  const progress = isAnswered ? "Accepted" : chain.some(isBeforeSending) ? "NotSent" : "Sent"
  const common = { ...facts, progress, cause: reason.cause, description: messageOf(chain) } as const
  if (reason._tag === "EncodeError" || codes.some((code) => cannotBeSent.test(code))) {
    return new GradientError.InvalidParamsError({ ...common, progress: "NotSent" })
  }
  if (codes.some((code) => cannotBeDecoded.test(code))) return new GradientError.InvalidResponseError(common)
  if (phase !== undefined) return new GradientError.RequestTimeoutError({ ...common, phase })
  return progress === "NotSent"
    ? new GradientError.ConnectionError(common)
    : new GradientError.DisconnectedError(common)
}
