/** A service of a few lines on a port of this machine, for what the emulator does not do: it stands still, or breaks off. */
import { Deferred, Effect } from "effect"
import { createServer, type IncomingMessage, type ServerResponse } from "node:http"

/** Answers each request with `answer`; tells when the first has come and when its connection has closed. */
export const service = Effect.fnUntraced(function* (answer: (response: ServerResponse) => void) {
  const asked = yield* Deferred.make<void>()
  const closed = yield* Deferred.make<void>()
  let requests = 0
  const server = createServer((request: IncomingMessage, response) => {
    requests++
    request.resume()
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
    requests: () => requests
  }
})
