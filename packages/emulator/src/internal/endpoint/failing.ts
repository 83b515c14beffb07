/** Which fault a request meets, and the replies of faults that are no picture. */
import * as Clock from "effect/Clock"
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as HttpServerRequest from "effect/http/HttpServerRequest"
import * as HttpServerResponse from "effect/http/HttpServerResponse"
import * as Option from "effect/Option"
import * as Schema from "effect/Schema"
import * as Stream from "effect/Stream"
import { type Fault, FaultFromString, headerName } from "../../Fault.ts"
import { Refusal, typeOf } from "./Refusal.ts"

export interface FaultOptions {
  readonly faults: ReadonlyArray<Fault>
  readonly allowFaultHeader: boolean
}

const parse = Schema.decodeEffect(FaultFromString)

/** Gives each request its fault: the header's, else the first of the options that is not used up. */
export const make = ({ allowFaultHeader, faults }: FaultOptions) => {
  /** How many requests met each: by its text from a header, else as itself. */
  const met = new Map<string | Fault, number>()
  const meet = (key: string | Fault, { times = Number.POSITIVE_INFINITY }: Fault): boolean => {
    const before = met.get(key) ?? 0
    if (before >= times) return false
    met.set(key, before + 1)
    return true
  }
  return Effect.fnUntraced(function* ({ headers }: HttpServerRequest.HttpServerRequest) {
    const text = allowFaultHeader ? headers[headerName] : undefined
    if (text !== undefined) {
      const fault = yield* Effect.mapError(
        parse(text),
        (error) => new Refusal({ status: 400, message: `${headerName}: ${error.message}`, code: "invalid_fault" })
      )
      if (meet(text, fault)) return fault
    }
    return faults.find((fault) => meet(fault, fault))
  })
}

type StatusFault = Extract<Fault, { readonly _tag: "status" }>

/**
 * Whether the fault comes before the work, and so costs nothing: what refuses the request, and an error before the first
 * picture. A 5xx comes after it, unless it says that the service is too busy for work.
 */
export const isBeforeWork = (fault: Fault | undefined): boolean => {
  switch (fault?._tag) {
    case "refuse":
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

const textOf = ({ code, form, status }: StatusFault, requestId: string): string => {
  const message = `The emulator was told to answer ${status}.`
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

const retryHeaders = ({ retryAfter, retryAfterDate, retryAfterMs }: StatusFault, now: number) => ({
  ...(retryAfter === undefined ? {} : { "retry-after": String(retryAfter) }),
  ...(retryAfterDate === undefined
    ? {}
    : { "retry-after": new Date(now + Duration.toMillis(retryAfterDate)).toUTCString() }),
  ...(retryAfterMs === undefined ? {} : { "retry-after-ms": String(retryAfterMs) })
})

/** The reply of another status. */
export const statusReply = Effect.fnUntraced(function* (fault: StatusFault, requestId: string) {
  const { endless, form, status } = fault
  const options = {
    status,
    headers: retryHeaders(fault, yield* Clock.currentTimeMillis),
    contentType: contentTypes[form]
  }
  const text = textOf(fault, requestId)
  if (endless === undefined) return HttpServerResponse.text(text, options)
  const more = Stream.fromEffectRepeat(Effect.as(Effect.yieldNow, " ".repeat(16_384)))
  return HttpServerResponse.stream(Stream.encodeText(Stream.concat(Stream.succeed(text), more)), options)
})

/** Loopback has two names, and so two origins, for one address; of any other host another does not exist. */
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
