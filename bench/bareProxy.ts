/**
 * A proxy that passes on the body of each request, and the reply, in its own process: `node bareProxy.ts <url of the
 * server>`. It sends its URL to its parent process, and replies to each message `"cpu"` with its CPU time in
 * microseconds.
 */
import * as Undici from "@effect/platform-node/Undici"
import { createServer, type IncomingMessage, type ServerResponse } from "node:http"
import { sendCpuTime } from "./process.ts"

const [, , behind = ""] = process.argv
const { origin, pathname } = new URL(behind)
const agent = new Undici.Agent()

const headers = { "content-type": "application/json", authorization: "Bearer real" }
const options = { origin, path: `${pathname}/images/generations`, method: "POST", headers } as const

const pass = async (request: IncomingMessage, response: ServerResponse): Promise<void> => {
  const reply = await agent.request({ ...options, body: request })
  response.writeHead(reply.statusCode, reply.headers)
  reply.body.pipe(response)
}

const server = createServer((request, response) => {
  void pass(request, response)
})

server.listen(0, "127.0.0.1", () => {
  const address = server.address()
  if (address !== null && typeof address !== "string") process.send?.(`http://127.0.0.1:${address.port}`)
})
sendCpuTime()
process.on("disconnect", () => process.exit())
