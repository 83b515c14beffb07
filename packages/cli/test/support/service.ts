/** A small HTTP server on loopback, for replies that the emulator cannot give. */
import { Deferred, Effect } from "effect"
import { createServer, type IncomingMessage, type ServerResponse } from "node:http"

/**
 * Starts a server that handles each request with `answer`. `asked` completes when a request has arrived, `closed` when
 * a response has ended or its connection broke. A text in `bodies` may be incomplete until the request has been read to
 * its end.
 */
export const service = Effect.fnUntraced(function* (answer: (response: ServerResponse) => void) {
  const asked = yield* Deferred.make<void>()
  const closed = yield* Deferred.make<void>()
  let requests = 0
  const bodies: Array<string> = []
  const server = createServer((request: IncomingMessage, response) => {
    const number = ++requests
    request.setEncoding("utf8").on("data", (text: string) => (bodies[number - 1] = (bodies[number - 1] ?? "") + text))
    response.on("close", () => Deferred.doneUnsafe(closed, Effect.void))
    answer(response)
    Deferred.doneUnsafe(asked, Effect.void)
  })
  yield* Effect.acquireRelease(
    Effect.callback<void>((resume) => void server.listen(0, "127.0.0.1", () => resume(Effect.void))),
    () => Effect.sync(() => server.close().closeAllConnections())
  )
  const address = server.address()
  const port = address !== null && typeof address === "object" ? address.port : 0
  return {
    baseUrl: `http://127.0.0.1:${port}/v1`,
    asked: Deferred.await(asked),
    closed: Deferred.await(closed),
    requests: () => requests,
    bodies: () => bodies
  }
})
