/** Adds an id to each request, so that a gateway recognises a request that is resent or joined. */
import * as Context from "effect/Context"
import * as Effect from "effect/Effect"
import * as HttpBody from "effect/http/HttpBody"
import * as HttpClient from "effect/http/HttpClient"
import * as HttpClientRequest from "effect/http/HttpClientRequest"

/** Whether a call sends its request, or joins one that was sent before. */
export type Purpose =
  | { readonly _tag: "Send"; readonly onSend: (id: string) => void }
  | { readonly _tag: "Join"; readonly id: string; readonly accept: string }

export const Purpose = Context.Reference<Purpose | undefined>("@effect-gradient/browser/Purpose", {
  defaultValue: () => undefined
})

/** 128 bits in hexadecimal; `crypto.randomUUID` is missing on pages without TLS. */
const randomId = () =>
  Array.from(crypto.getRandomValues(new Uint8Array(16)), (byte) => byte.toString(16).padStart(2, "0")).join("")

/** Asks for the reply to a request. It is a GET without a body, so it cannot be charged for. */
const toJoin = (request: HttpClientRequest.HttpClientRequest, id: string, accept: string) =>
  HttpClientRequest.setMethod(request, "GET").pipe(
    HttpClientRequest.setBody(HttpBody.empty),
    HttpClientRequest.appendUrl(`/${id}`),
    HttpClientRequest.setHeader("accept", accept)
  )

/**
 * Sends an id with each request, because Chromium may resend a POST when a connection closes early. Turns the request of a
 * call that joins into a GET.
 */
export const withAttemptId = HttpClient.mapRequestEffect((request) =>
  Effect.map(Purpose, (purpose) => {
    if (purpose?._tag === "Join") return toJoin(request, purpose.id, purpose.accept)
    const id = randomId()
    if (request.method === "POST") purpose?.onSend(id)
    return HttpClientRequest.setHeader(request, "x-attempt-id", id)
  })
)
