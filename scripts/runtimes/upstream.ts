/**
 * The service behind the gateway in the tests of runtimes, on loopback. It chooses its reply by the prompt.
 */
import { createServer, type ServerResponse } from "node:http"

const image = Buffer.from("iVBORw").toString("base64")
const json = JSON.stringify({ created: 1_700_000_000, data: [{ b64_json: image }] })
const event = (type: string) =>
  `event: image_generation.${type}\ndata: ${JSON.stringify({ type: `image_generation.${type}`, b64_json: image })}\n\n`

const begin = (response: ServerResponse) => {
  response.writeHead(200, { "content-type": "text/event-stream" })
  response.write(event("partial_image"))
}

const soon = (then: () => void) => void setTimeout(then, 100)

/** The responses to the prompt `endless` that have not been closed. */
const open = new Set<ServerResponse>()

const replies: Readonly<Record<string, (response: ServerResponse) => void>> = {
  json: (response) => response.writeHead(200, { "content-type": "application/json" }).end(json),
  events: (response) => {
    begin(response)
    response.end(event("completed"))
  },
  slow: (response) => {
    begin(response)
    setTimeout(() => response.end(event("completed")), 1500)
  },
  busy: (response) => response.writeHead(429, { "retry-after": "7" }).end("{}"),
  fail: (response) => response.writeHead(500).end("{}"),
  break: (response) => response.socket?.resetAndDestroy(),
  cut: (response) => {
    begin(response)
    soon(() => response.socket?.resetAndDestroy())
  },
  half: (response) => {
    begin(response)
    response.write("event: image_generation.completed\ndata: {")
    soon(() => response.socket?.resetAndDestroy())
  },
  endless: (response) => {
    begin(response)
    open.add(response)
    response.on("close", () => open.delete(response))
  }
}

const promptOf = (body: string): string => {
  const value: unknown = JSON.parse(body)
  return typeof value === "object" && value !== null && "prompt" in value ? String(value.prompt) : ""
}

/**
 * Starts the upstream on a free port. `GET /open` returns the number of responses to the prompt `endless` that are
 * open.
 */
export const startUpstream = async () => {
  const server = createServer((request, response) => {
    if (request.url === "/open") return void response.end(String(open.size))
    let body = ""
    request.on("data", (chunk: Buffer) => (body += chunk.toString()))
    request.on("end", () => replies[promptOf(body)]?.(response))
    return undefined
  })
  await new Promise<void>((resolve) => void server.listen(0, "127.0.0.1", resolve))
  const address = server.address()
  const port = address !== null && typeof address === "object" ? address.port : 0
  const stop = () => {
    server.close()
    server.closeAllConnections()
  }
  return { url: `http://127.0.0.1:${port}`, stop }
}
