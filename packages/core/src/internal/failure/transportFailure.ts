/**
 * Converts a failure of the transport to a reason. `reached` is `NotSent` only if that is proven: the transport marked
 * the error with `markNotSent`, or the cause occurs only before anything is sent. Without proof, the service may be
 * generating an image, and may charge for it.
 */
import type * as HttpClientError from "effect/http/HttpClientError"
import * as Predicate from "effect/Predicate"
import * as GradientError from "../../GradientError.ts"
import { isList, property } from "../property.ts"
import { redactText, redactUrl } from "../redaction.ts"

const NotSent = Symbol.for("@effect-gradient/core/NotSent")

/**
 * Marks the `cause` of an `HttpClientError` to show that it occurred before anything of the request was sent. Call it
 * in a transport that you write.
 */
export const markNotSent = (error: object): void => {
  Object.defineProperty(error, NotSent, { value: true })
}

/**
 * The error and its causes, at most 32 in total. If several addresses were tried, the errors of all addresses are
 * included.
 */
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

const codeOf = (error: object): string => String(property(error, "code"))

const messageIn = (error: object): string => {
  const message = property(error, "message")
  return Predicate.isString(message) ? message : ""
}

// Most failures are recognised by the codes of Node, undici and Bun, or by the messages of runtimes without codes.

const notSentCodes = new Set<unknown>([
  "UND_ERR_CONNECT_TIMEOUT",
  "UND_ERR_PRX_CONN",
  "UND_ERR_PRX_TLS",
  "ECONNREFUSED",
  "ENOTFOUND",
  "EAI_AGAIN",
  "ConnectionRefused",
  "FailedToOpenSocket"
])
const notSentSyscalls = new Set<unknown>(["connect", "getaddrinfo"])
/** Messages of Deno, Bun and Node for failures before sending. The last two are for a port that fetch blocks. */
const notSentMessages =
  /client error \(Connect\)|The TLS handshake failed|before secure TLS connection was established|^bad port$|Requests to port \d+ are blocked/

const isBeforeSending = (error: object): boolean =>
  Predicate.hasProperty(error, NotSent) ||
  notSentCodes.has(property(error, "code")) ||
  notSentSyscalls.has(property(error, "syscall")) ||
  notSentMessages.test(messageIn(error))

/** Codes of undici's errors for a request that undici refuses to send, for example because of a header. */
const cannotBeSent = /^UND_ERR_(INVALID_ARG|NOT_SUPPORTED)$/
/** Error codes of zlib, and of NodeImages, for a body that does not match its content-encoding. */
const cannotBeDecoded = /^(Z_|ZSTD_|ERR__ERROR|ERR_BROTLI|ERR_CONTENT_ENCODING)/

const isHeadTooLarge = (error: object): boolean =>
  /^(UND_ERR_HEADERS_OVERFLOW|HPE_HEADER_OVERFLOW)$/.test(codeOf(error)) ||
  /message head is too large/.test(messageIn(error))

/**
 * Whether an HTTP parser refused the server's bytes. Names and messages are checked too, because some errors have no
 * code.
 */
const isNotHttp = (error: object): boolean => {
  const code = codeOf(error)
  const isParserError = code.startsWith("HPE_") || property(error, "name") === "HTTPParserError"
  // If the connection merely closed, the parser fails as well, but the reason is a DisconnectedError.
  if (isParserError) return !/EOF|Connection: close/.test(messageIn(error))
  return code === "Malformed_HTTP_Response" || /invalid HTTP \S+ parsed/.test(messageIn(error))
}

const timeoutPhases = new Map<unknown, "connect" | "response" | "idle">([
  ["UND_ERR_CONNECT_TIMEOUT", "connect"],
  ["UND_ERR_HEADERS_TIMEOUT", "response"],
  ["UND_ERR_BODY_TIMEOUT", "idle"]
])

/** The status with which a proxy refused the request, read from either of the two messages that undici uses. */
const proxyStatusOf = (chain: ReadonlyArray<object>): number | undefined => {
  const found = chain.map((error) => /^Proxy (?:response|Authentication Required) \((\d{3})\)/.exec(messageIn(error)))
  const status = found.find((match) => match !== null)?.[1]
  return status === undefined ? undefined : Number(status)
}

const proxyRefused = (status: number, cause: unknown): GradientError.ConnectionError =>
  new GradientError.ConnectionError({
    cause,
    description:
      status === 407
        ? "the proxy refused the connection (407): the proxy's URL needs the right user and password, as in http://user:password@proxy:3128"
        : `the proxy refused the connection (${status})`,
    // A proxy that failed (5xx) may recover. A proxy that refused the connection will probably refuse again.
    shouldRetry: status >= 500 ? undefined : false
  })

const mostShown = 60

/** Describes what a server sent instead of HTTP, by the first bytes that it sent, if undici's error has them. */
const notHttpDescription = (error: object): string => {
  const data: unknown = property(error, "data")
  const text = Predicate.isString(data) ? data.slice(0, mostShown) : ""
  const [first = 0, second = 0, , fourth] = Array.from(text, (character) => character.charCodeAt(0))
  if (first >= 20 && first <= 23 && second === 3) return "the server answered with TLS: use https:// in the base URL"
  if (text.length > 8 && first === 0 && fourth === 4) {
    return "the server answered with HTTP/2, but only HTTP/1.1 is supported"
  }
  // Only known banners are shown. Other bytes may contain the key, because a server may echo the request.
  const banner = /^(SSH-|\+OK|\* OK|220[ -])[ -~]*/.exec(text)?.[0]
  return `the server's answer is not HTTP${banner === undefined ? "" : `: "${banner}"`}`
}

/**
 * A readable description of an error of the TLS protocol. OpenSSL's own messages consist of a pointer, names and the
 * path of a C file. `undefined` for other errors, such as an invalid certificate.
 */
const tlsDescription = (error: object): string | undefined => {
  if (/^ERR_SSL_(WRONG_VERSION_NUMBER|PACKET_LENGTH_TOO_LONG|HTTP_REQUEST)$|^EPROTO$/.test(codeOf(error))) {
    return "the server may not speak TLS on this port: should the URL start with http:// instead of https://?"
  }
  const reason = property(error, "reason")
  return messageIn(error).includes(":SSL routines:") && Predicate.isString(reason) ? `TLS failed: ${reason}` : undefined
}

/**
 * The description of the failure: the message of the innermost cause, or its `tlsDescription`, because the outer
 * messages of undici and fetch are only "terminated" and "fetch failed". For a connect timeout, it is the timeout's own
 * message, because its causes are the failures of single addresses.
 */
const descriptionOf = (chain: ReadonlyArray<object>): string | undefined => {
  const innermost =
    chain.find((error) => codeOf(error) === "UND_ERR_CONNECT_TIMEOUT") ??
    chain.findLast((error) => messageIn(error) !== "")
  return innermost && (tlsDescription(innermost) ?? messageIn(innermost))
}

type ResponseFields = Partial<Pick<GradientError.GradientErrorReason, "headers" | "images" | "requestId" | "status">>

/**
 * Converts an error of the HTTP client to a reason. The failure can be before the head of the response, or within its
 * body.
 */
export const reasonOfFailure = (
  error: HttpClientError.HttpClientError,
  fields: ResponseFields = {}
): GradientError.GradientErrorReason => {
  const { reason } = error
  // For an invalid URL, the reason has no `cause`, because the error repeats the URL, which may contain a password.
  if (reason._tag === "InvalidUrlError") {
    return new GradientError.InvalidParamsError({
      description: `not a valid URL: ${redactText(reason.request.headers)(redactUrl(reason.request.url))}`
    })
  }
  const chain = causes(reason.cause)
  const proxyStatus = proxyStatusOf(chain)
  if (proxyStatus !== undefined) return proxyRefused(proxyStatus, reason.cause)

  const codes = chain.map(codeOf)
  const isAnswered = "response" in reason
  const reached = isAnswered ? "Accepted" : chain.some(isBeforeSending) ? "NotSent" : "Sent"
  const common = {
    ...fields,
    reached,
    // The error of an HTTP parser has bytes of the server, which may echo the request with its key.
    cause: chain.some((one) => Predicate.isString(property(one, "data"))) ? undefined : reason.cause,
    description: descriptionOf(chain) ?? reason.description
  } as const
  if (reason._tag === "EncodeError" || codes.some((code) => cannotBeSent.test(code))) {
    return new GradientError.InvalidParamsError({ ...common, reached: "NotSent" })
  }
  if (codes.some((code) => cannotBeDecoded.test(code))) return new GradientError.InvalidResponseError(common)
  if (chain.some(isHeadTooLarge)) {
    return new GradientError.InvalidResponseError({ ...common, description: "the head of the reply is too large" })
  }
  const notHttp = chain.find(isNotHttp)
  if (notHttp !== undefined) {
    return new GradientError.InvalidResponseError({ ...common, description: notHttpDescription(notHttp) })
  }
  const phase = codes.map((code) => timeoutPhases.get(code)).find((found) => found !== undefined)
  if (phase !== undefined) {
    // If nothing was sent, every timeout counts as a connect timeout, also the headers timeout of a proxy that accepted
    // the connection and then did not reply.
    return new GradientError.RequestTimeoutError({ ...common, phase: reached === "NotSent" ? "connect" : phase })
  }
  return reached === "NotSent" ? new GradientError.ConnectionError(common) : new GradientError.DisconnectedError(common)
}
