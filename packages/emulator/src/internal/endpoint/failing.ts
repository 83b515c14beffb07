/** Which fault a request meets, and the replies of faults that are not images. */
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
import { contentTypeOf, encoded, setBody } from "./body.ts"
import { Refusal, typeOf } from "./Refusal.ts"

export interface FaultOptions {
  readonly faults: ReadonlyArray<Fault>
  readonly allowFaultHeader: boolean
}

const parse = Schema.decodeEffect(FaultFromString)

type RetiredFault = Extract<Fault, { readonly _tag: "retired" }>

const isRetired = (fault: Fault): fault is RetiredFault => fault._tag === "retired"

/** Counts how many requests met each fault. */
const makeCounter = () => {
  /** Keyed by the text of a fault from a header, else by the fault itself. */
  const met = new Map<string | Fault, number>()
  const isLeft = (key: string | Fault, { times = Number.POSITIVE_INFINITY }: Fault) => (met.get(key) ?? 0) < times
  const meet = (key: string | Fault, fault: Fault): boolean => {
    if (!isLeft(key, fault)) return false
    met.set(key, (met.get(key) ?? 0) + 1)
    return true
  }
  return { isLeft, meet }
}

/**
 * Gives each request its fault: the header's, else the first of the options that is not used up. Retired models are
 * apart, because they only affect requests for them.
 */
export const make = ({ allowFaultHeader, faults }: FaultOptions) => {
  const { isLeft, meet } = makeCounter()
  const retired = faults.filter(isRetired)
  const others = faults.filter((fault) => !isRetired(fault))
  const next = Effect.fnUntraced(function* ({ headers }: HttpServerRequest.HttpServerRequest) {
    const text = allowFaultHeader ? headers[headerName] : undefined
    if (text !== undefined) {
      const fault = yield* Effect.mapError(
        parse(text),
        (error) => new Refusal({ status: 400, message: `${headerName}: ${error.message}`, code: "invalid_fault" })
      )
      if (meet(text, fault)) return fault
    }
    return others.find((fault) => meet(fault, fault))
  })
  return {
    next,
    /** Whether the request for this model meets its retirement. */
    retires: (model: string, fault: Fault | undefined): boolean =>
      (fault !== undefined && isRetired(fault) && fault.model === model) ||
      retired.some((one) => one.model === model && meet(one, one)),
    isListed: (model: string): boolean => !retired.some((one) => one.model === model && isLeft(one, one))
  }
}

type StatusFault = Extract<Fault, { readonly _tag: "status" }>

/**
 * Whether the fault happens before the work, and so costs nothing: a refused request, or an error before the first
 * image. A 5xx happens after the work, unless its headers say when to come back.
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

const codes: { readonly [status: number]: string } = {
  401: "invalid_api_key",
  402: "insufficient_quota",
  429: "too_many_requests"
}

const contentTypes = { openai: "application/json", gradient: "application/json", html: "text/html", empty: undefined }

const textOf = ({ body, code, form, status }: StatusFault, requestId: string): string => {
  const message = `The emulator answers ${status}, as one of its faults asks.`
  if (body !== undefined) return body
  switch (form) {
    case "openai":
      return JSON.stringify({
        error: { message, type: typeOf(status), param: null, code: code ?? codes[status] ?? null }
      })
    case "gradient":
      return JSON.stringify({ id: code ?? codes[status] ?? typeOf(status), message, request_id: requestId })
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
    : {
        "x-ratelimit-remaining-requests": "0",
        "x-ratelimit-reset-requests": String(Math.ceil((now + Duration.toMillis(reset)) / 1000))
      })
})

const spaces = Stream.fromEffectRepeat(Effect.as(Effect.yieldNow, " ".repeat(16_384)))

/** The reply of another status. */
export const statusReply = Effect.fnUntraced(function* (fault: StatusFault, requestId: string) {
  const { body, contentEncoding, endless, form, status } = fault
  const usual = body === undefined ? contentTypes[form] : "application/json"
  const contentType = fault.contentType === undefined ? usual : contentTypeOf(fault.contentType)
  const headers = retryHeaders(fault, yield* Clock.currentTimeMillis)
  const text = textOf(fault, requestId)
  if (endless === undefined && contentEncoding === undefined) {
    return setBody(HttpServerResponse.empty({ status, headers }), HttpBody.text(text, contentType))
  }
  const all = endless === undefined ? Stream.succeed(text) : Stream.concat(Stream.succeed(text), spaces)
  const { header, stream } = encoded(Stream.encodeText(all), contentEncoding)
  const response = HttpServerResponse.empty({ status, headers: { ...headers, ...header } })
  return setBody(response, HttpBody.stream(stream, contentType))
})

/** Loopback has two names, so two origins. For any other host, a host that does not exist. */
const elsewhere = (url: URL): URL => {
  const other = new URL(url)
  const names: { readonly [host: string]: string } = { "127.0.0.1": "localhost", localhost: "127.0.0.1" }
  other.hostname = names[url.hostname] ?? `elsewhere.${url.hostname}`
  return other
}

/** A redirect of the request to its own path, here or elsewhere. */
export const redirectReply = (request: HttpServerRequest.HttpServerRequest, to: "same" | "other") => {
  const url = Option.filter(HttpServerRequest.toURL(request), () => to === "other")
  const location = Option.match(url, { onNone: () => request.url, onSome: (here) => elsewhere(here).href })
  return HttpServerResponse.empty({ status: 307, headers: { location } })
}
