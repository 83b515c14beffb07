/**
 * Adds an id to each request that does not join an earlier one. By the id, a gateway recognises a POST that the browser
 * sends twice, and a call can ask for the reply to an earlier request.
 */
import * as Context from "effect/Context"
import * as Effect from "effect/Effect"
import * as HttpBody from "effect/http/HttpBody"
import * as HttpClient from "effect/http/HttpClient"
import * as HttpClientRequest from "effect/http/HttpClientRequest"

/**
 * What a call does. `Send`: it sends its request, and passes the new id of each attempt to `onSend`. `Join`: it only
 * asks for the reply to the request with this id.
 */
export type Purpose =
  | { readonly _tag: "Send"; readonly onSend: (id: string) => void }
  | { readonly _tag: "Join"; readonly id: string; readonly accept: string }

export const Purpose = Context.Reference<Purpose | undefined>("@effect-gradient/browser/Purpose", {
  defaultValue: () => undefined
})

/**
 * A random id of 128 bits in hexadecimal. Pages without TLS, except those on localhost, do not have
 * `crypto.randomUUID`.
 */
const randomId = () =>
  Array.from(crypto.getRandomValues(new Uint8Array(16)), (byte) => byte.toString(16).padStart(2, "0")).join("")

/**
 * Turns a request into one that asks for the reply to the request with this id. It is a GET without a body, so it
 * cannot be charged for.
 */
const toJoin = (request: HttpClientRequest.HttpClientRequest, id: string, accept: string) =>
  HttpClientRequest.setMethod(request, "GET").pipe(
    HttpClientRequest.setBody(HttpBody.empty),
    HttpClientRequest.appendUrl(`/${id}`),
    HttpClientRequest.setHeader("accept", accept)
  )

/**
 * Sends an id with each request, because Chromium may send a POST twice if a connection closes early. If the call joins
 * an earlier request, turns its request into a GET with that id in the path instead.
 */
export const withAttemptId = HttpClient.mapRequestEffect((request) =>
  Effect.map(Purpose, (purpose) => {
    if (purpose?._tag === "Join") return toJoin(request, purpose.id, purpose.accept)
    const id = randomId()
    if (request.method === "POST") purpose?.onSend(id)
    return HttpClientRequest.setHeader(request, "x-attempt-id", id)
  })
)
