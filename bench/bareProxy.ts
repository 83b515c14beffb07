/**
 * A proxy that does nothing but pass on, a process of its own: `node bareProxy.ts <url behind>`. Sends its URL, and its CPU
 * time in microseconds when asked.
 */
import * as Undici from "@effect/platform-node/Undici"
import { createServer } from "node:http"
import { sendCpuTime } from "./process.ts"

const [, , behind = ""] = process.argv
const { origin, pathname } = new URL(behind)
const agent = new Undici.Agent()

const server = createServer((request, response) => {
  const headers = { "content-type": "application/json", authorization: "Bearer real" }
  agent
    .request({ origin, path: `${pathname}/images/generations`, method: "POST", headers, body: request })
    .then(({ body, headers: replyHeaders, statusCode }) => {
      response.writeHead(statusCode, replyHeaders)
      body.pipe(response)
    })
    .catch((error: unknown) => response.destroy(error instanceof Error ? error : undefined))
})

server.listen(0, "127.0.0.1", () => {
  const address = server.address()
  if (address !== null && typeof address !== "string") process.send?.(`http://127.0.0.1:${address.port}`)
})
sendCpuTime()
process.on("disconnect", () => process.exit())
