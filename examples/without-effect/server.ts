import { GradientError, Images, ImageGenStreamEvent } from "@effect-gradient/core"
import * as ErrorBody from "@effect-gradient/core/ErrorBody"
import { Effect, Stream } from "effect"
import { once } from "node:events"
import { createServer, type ServerResponse } from "node:http"
import { images } from "./images.ts"

/** Streams images as server-sent events. If the client closes the connection, the request to the service is cancelled. */
export const server = createServer((request, response) => {
  // Only POST is accepted: an image costs money, and browsers repeat a GET by themselves. `EventSource` sends another GET
  // each time that a stream ends.
  if (request.method !== "POST") return void response.writeHead(405, { allow: "POST" }).end()
  const left = new AbortController()
  response.on("close", () => left.abort())
  const prompt = new URL(request.url ?? "/", "http://localhost").searchParams.get("prompt") ?? ""
  const sending = Images.generateStream({ prompt, partialImages: 3 }).pipe(
    Stream.runForEach((event) => Effect.promise((signal) => send(response, event, signal)))
  )
  return void images.runPromise(sending, { signal: left.signal }).then(
    () => response.end(),
    (error: unknown) => {
      if (!left.signal.aborted) fail(response, error)
    }
  )
})

const send = async (response: ServerResponse, event: ImageGenStreamEvent.ImageGenStreamEvent, signal: AbortSignal) => {
  if (!response.headersSent) {
    response.writeHead(200, { "content-type": "text/event-stream", "cache-control": "no-store" })
  }
  const hasRoom = response.write(ImageGenStreamEvent.toServerSentEvent(event))
  if (!hasRoom) await once(response, "drain", { signal })
}

/**
 * Reports a failure to the client. Before the first event, the reply has an error status. After the first event, the failure
 * is an event of the stream.
 */
const fail = (response: ServerResponse, error: unknown) => {
  console.error(error)
  const known = error instanceof GradientError.GradientError ? error : undefined
  const status = known === undefined ? 500 : GradientError.httpStatus(known.reason)
  const body = ErrorBody.make({ status, message: known?.reason.summary ?? "Internal error" })
  if (response.headersSent) return response.end(ErrorBody.toServerSentEvent(body))
  // Many clients retry by themselves after a 5xx. This request may have been charged for, so they are asked not to.
  if (known?.mayHaveBeenCharged === true) response.setHeader("x-should-retry", "false")
  response.setHeader("content-type", "application/json")
  return response.writeHead(status).end(JSON.stringify(body))
}
