/** A small service on a port of this machine, for what the emulator does not do. */
import { Deferred, Effect } from "effect"
import { createServer, type IncomingMessage, type ServerResponse } from "node:http"

/**
 * Answers each request with `answer`. `asked` ends when the first request arrives, `closed` when its connection closes.
 * `bodies` are complete if `answer` waits for the end of the request or the call has ended.
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
