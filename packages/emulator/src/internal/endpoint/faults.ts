/** Chooses the fault of each request, and makes the replies of the faults `status` and `redirect`. */
import { RateLimit } from "@effect-gradient/core"
import * as ErrorBody from "@effect-gradient/core/ErrorBody"
import * as Clock from "effect/Clock"
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as HttpBody from "effect/http/HttpBody"
import * as HttpServerRequest from "effect/http/HttpServerRequest"
import * as HttpServerResponse from "effect/http/HttpServerResponse"
import * as Option from "effect/Option"
import * as Schema from "effect/Schema"
import * as Stream from "effect/Stream"
import { type Fault, FaultFromString, headerName } from "../../Fault.ts"
import { ApiError } from "./ApiError.ts"
import { rateLimitHeaders } from "./commonHeaders.ts"
import { contentTypeOf, encoded, setBody } from "./faultyBody.ts"

export interface FaultOptions {
  readonly faults: ReadonlyArray<Fault>
  readonly allowFaultHeader: boolean
}

const parse = Schema.decodeEffect(FaultFromString)

type RetiredFault = Extract<Fault, { readonly _tag: "retired" }>

const isRetired = (fault: Fault): fault is RetiredFault => fault._tag === "retired"

/** Counts how many requests each fault was chosen for. */
const makeCounter = () => {
  /**
   * The number of requests by fault. The key of a fault from a header is the header's text; the key of a fault from the
   * options is the fault itself.
   */
  const counts = new Map<string | Fault, number>()
  const hasUsesLeft = (key: string | Fault, { times = Number.POSITIVE_INFINITY }: Fault) =>
    (counts.get(key) ?? 0) < times
  const use = (key: string | Fault, fault: Fault): boolean => {
    if (!hasUsesLeft(key, fault)) return false
    counts.set(key, (counts.get(key) ?? 0) + 1)
    return true
  }
  return { hasUsesLeft, use }
}

/**
 * Chooses the fault of each request: the fault in the request's header, if `allowFaultHeader` is set and that fault has
 * any of its `times` left, else the first fault of the options that has any of its `times` left. Faults of the options
 * that retire a model are kept apart, because only a request for that model uses them up.
 */
export const makeFaultQueue = ({ allowFaultHeader, faults }: FaultOptions) => {
  const { hasUsesLeft, use } = makeCounter()
  const retired = faults.filter(isRetired)
  const others = faults.filter((fault) => !isRetired(fault))
  /**
   * Chooses the fault of a request, and counts the request for it. Returns `undefined`, and counts nothing, if the
   * chosen fault is not `wanted`.
   */
  const next = Effect.fnUntraced(function* (
    { headers }: HttpServerRequest.HttpServerRequest,
    wanted: (fault: Fault) => boolean = () => true
  ) {
    const text = allowFaultHeader ? headers[headerName] : undefined
    if (text !== undefined) {
      const fault = yield* Effect.mapError(
        parse(text),
        (error) => new ApiError({ status: 400, message: `${headerName}: ${error.message}`, code: "invalid_fault" })
      )
      if (hasUsesLeft(text, fault)) return wanted(fault) && use(text, fault) ? fault : undefined
    }
    const first = others.find((fault) => hasUsesLeft(fault, fault))
    return first !== undefined && wanted(first) && use(first, first) ? first : undefined
  })
  return {
    next,
    /**
     * Whether the model is retired for this request: by `fault`, or else by a fault of the options, which then counts
     * the request.
     */
    retires: (model: string, fault: Fault | undefined): boolean =>
      (fault !== undefined && isRetired(fault) && fault.model === model) ||
      retired.some((each) => each.model === model && use(each, each)),
    /** Whether `GET /v1/models` lists the model. */
    isListed: (model: string): boolean => !retired.some((each) => each.model === model && hasUsesLeft(each, each))
  }
}

type StatusFault = Extract<Fault, { readonly _tag: "status" }>

/**
 * Whether the fault acts before the images are generated, so that nothing is charged. The fault `retired` is left to
 * the function `retires`. A `status` of 5xx acts later and is charged, except a 503 with one of the options
 * `retry-after`, `retry-after-date` and `retry-after-ms`.
 */
export const isBeforeWork = (fault: Fault | undefined): boolean => {
  switch (fault?._tag) {
    case "refuse":
    case "not-http":
    case "redirect":
      return true
    case "error-event":
      return fault.after === 0
    case "status": {
      const isBusy = (fault.retryAfter ?? fault.retryAfterDate ?? fault.retryAfterMs) !== undefined
      return fault.status < 500 || (fault.status === 503 && isBusy)
    }
    default:
      return false
  }
}

/** Whether the fault acts on any request, before its key and its body are checked. */
export const isBeforeChecks = (fault: Fault): boolean => fault._tag !== "error-event" && isBeforeWork(fault)

/** The error codes of the statuses that have one. The option `code` of a fault replaces them. */
const codes: { readonly [status: number]: string } = {
  401: ErrorBody.codes.invalidApiKey,
  402: ErrorBody.codes.insufficientQuota,
  429: ErrorBody.codes.tooManyRequests
}

/** The content type of each form of an error. An empty text removes the header. */
const contentTypes = { openai: "application/json", gradient: "application/json", html: "text/html", empty: "" }

const textOf = ({ body, code, form, status }: StatusFault, requestId: string): string => {
  const message = `The emulator answers ${status} because of the fault status=${status}.`
  if (body !== undefined) return body
  switch (form) {
    case "openai":
      return JSON.stringify(ErrorBody.make({ status, message, code: code ?? codes[status] }))
    case "gradient":
      return JSON.stringify({ id: code ?? codes[status] ?? ErrorBody.typeOf(status), message, request_id: requestId })
    case "html":
      return `<!doctype html><html><head><title>${status} from a proxy</title></head><body><h1>${message}</h1></body></html>`
    case "empty":
      return ""
  }
}

const retryHeaders = ({ reset, retryAfter, retryAfterDate, retryAfterMs }: StatusFault, now: number) => ({
  ...(retryAfter === undefined ? {} : { "retry-after": String(retryAfter) }),
  ...(retryAfterDate === undefined
    ? {}
    : { "retry-after": new Date(now + Duration.toMillis(retryAfterDate)).toUTCString() }),
  ...(retryAfterMs === undefined ? {} : { "retry-after-ms": String(retryAfterMs) }),
  ...(reset === undefined
    ? {}
    : rateLimitHeaders(RateLimit.headerNames.requests, {
        remaining: 0,
        reset: Math.ceil((now + Duration.toMillis(reset)) / 1000)
      }))
})

const spaces = Stream.fromEffectRepeat(Effect.as(Effect.yieldNow, " ".repeat(16_384)))

export const statusReply = Effect.fnUntraced(function* (fault: StatusFault, requestId: string) {
  const { body, contentEncoding, endless, form, status } = fault
  const defaultType = body === undefined ? contentTypes[form] : "application/json"
  const contentType = fault.contentType === undefined ? defaultType : contentTypeOf(fault.contentType)
  const headers = retryHeaders(fault, yield* Clock.currentTimeMillis)
  const text = textOf(fault, requestId)
  if (endless === undefined && contentEncoding === undefined) {
    return setBody(HttpServerResponse.empty({ status, headers }), HttpBody.text(text, contentType))
  }
  const parts = endless === undefined ? Stream.succeed(text) : Stream.concat(Stream.succeed(text), spaces)
  const { header, stream } = encoded(Stream.encodeText(parts), contentEncoding)
  const response = HttpServerResponse.empty({ status, headers: { ...headers, ...header } })
  return setBody(response, HttpBody.stream(stream, contentType))
})

/**
 * Returns the same URL at another origin. The host `localhost` becomes `127.0.0.1`, and the reverse. Any other host
 * name gets the prefix `elsewhere.`.
 */
const atOtherOrigin = (url: URL): URL => {
  const other = new URL(url)
  const names: { readonly [host: string]: string } = { "127.0.0.1": "localhost", localhost: "127.0.0.1" }
  other.hostname = names[url.hostname] ?? `elsewhere.${url.hostname}`
  return other
}

/**
 * Makes the reply of the fault `redirect`. It redirects to the URL of the request, at the same origin or at another
 * one.
 */
export const redirectReply = (request: HttpServerRequest.HttpServerRequest, to: "same" | "other") => {
  const url = Option.filter(HttpServerRequest.toURL(request), () => to === "other")
  const location = Option.match(url, { onNone: () => request.url, onSome: (here) => atOtherOrigin(here).href })
  return HttpServerResponse.empty({ status: 307, headers: { location } })
}
