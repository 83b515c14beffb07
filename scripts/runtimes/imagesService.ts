/**
 * The service that the calls of `imagesCases.ts` are sent to, on loopback. It uses plain sockets, so that it can count
 * each POST and break a connection at any byte. The path of a request is
 * `/<runtime>/<layer>/<case>/images/generations`.
 */
import { createServer, type Socket } from "node:net"

/** The service's counts for one case, on one runtime and through one layer. */
export interface Account {
  requests: number
  /** The number of requests that would have been charged for: all, except in the cases of `free`. */
  charged: number
  /**
   * In the case `leave`, whether the client closed the connection within 2.5 s after the first event. `false` in all
   * other cases.
   */
  left: boolean
}

const image = Buffer.concat([Buffer.from("89504e470d0a1a0a", "hex"), Buffer.alloc(100)]).toString("base64")
const json = JSON.stringify({ created: 1_700_000_000, data: [{ b64_json: image }] })
const event = (type: string) =>
  `event: image_generation.${type}\ndata: ${JSON.stringify({ type: `image_generation.${type}`, b64_json: image, partial_image_index: 0 })}\n\n`

const head = (status: string, ...headers: ReadonlyArray<string>) =>
  `${[`HTTP/1.1 ${status}`, ...headers].join("\r\n")}\r\n\r\n`
const jsonReply = `${head("200 OK", "content-type: application/json", `content-length: ${json.length}`)}${json}`
const chunk = (text: string) => `${text.length.toString(16)}\r\n${text}\r\n`
const streamHead = head("200 OK", "content-type: text/event-stream", "transfer-encoding: chunked")
const partial = streamHead + chunk(event("partial_image"))
const completed = `${partial}${chunk(event("completed"))}0\r\n\r\n`
const empty = (status: string, ...headers: ReadonlyArray<string>) => head(status, "content-length: 0", ...headers)

const soon = (then: () => void) => void setTimeout(then, 200)

/** The names of the cases whose requests are not charged for. */
const free = new Set(["busy", "redirect"])

const replies: Readonly<Record<string, (socket: Socket, account: Account, path: string) => void>> = {
  json: (socket) => socket.write(jsonReply),
  stream: (socket) => socket.write(completed),
  slow: (socket) => void setTimeout(() => socket.write(jsonReply), 1500),
  busy: (socket) => socket.write(empty("429 Too Many Requests", "retry-after: 0")),
  redirect: (socket, _, path) => socket.write(empty("307 Temporary Redirect", `location: ${path}`)),
  break: (socket) => socket.resetAndDestroy(),
  "break-kept": (socket, { requests }) => (requests === 1 ? socket.write(jsonReply) : socket.destroy()),
  "break-kept-stream": (socket, { requests }) => (requests === 1 ? socket.write(completed) : socket.destroy()),
  "break-body": (socket) => {
    socket.write(jsonReply.slice(0, -20))
    soon(() => socket.resetAndDestroy())
  },
  "break-stream": (socket) => {
    socket.write(partial)
    soon(() => socket.resetAndDestroy())
  },
  "end-stream": (socket) => socket.write(`${partial}0\r\n\r\n`),
  "stall-head": () => undefined,
  "stall-body": (socket) => socket.write(jsonReply.slice(0, -20)),
  leave: (socket, account) => {
    socket.write(partial)
    const sentAt = Date.now()
    socket.on("close", () => (account.left = Date.now() - sentAt < 2500))
  }
}

/**
 * Whether the text is a complete HTTP request: the headers, and a body with a content-length or in chunks. A GET has no
 * body.
 */
const isComplete = (text: string) => {
  const end = text.indexOf("\r\n\r\n")
  if (end === -1) return false
  if (text.startsWith("GET ")) return true
  const length = /content-length: (\d+)/i.exec(text.slice(0, end))?.[1]
  return length === undefined ? text.endsWith("0\r\n\r\n") : text.length >= end + 4 + Number(length)
}

/** Starts the service on a free port. `accounts` has the counts by `/<runtime>/<layer>/<case>`. */
export const startService = async () => {
  const accounts = new Map<string, Account>()
  const server = createServer((socket) => {
    let text = ""
    socket.on("error", () => undefined)
    socket.on("data", (bytes: Buffer) => {
      text += bytes.toString("latin1")
      if (!isComplete(text)) return
      const [method, path = ""] = text.split(" ")
      // A gateway may reply to a GET with a reply that it kept. This service keeps none.
      if (method === "GET") {
        text = ""
        return void socket.write(empty("404 Not Found"))
      }
      const key = path.replace(/\/images\/generations$/, "")
      const name = key.split("/").at(-1) ?? ""
      const account = accounts.get(key) ?? { requests: 0, charged: 0, left: false }
      accounts.set(key, account)
      account.requests++
      if (!free.has(name)) account.charged++
      text = ""
      replies[name]?.(socket, account, path)
    })
  })
  const url = await listen(server)
  return { url, accounts, stop: () => server.close() }
}

const listen = async (server: ReturnType<typeof createServer>) => {
  await new Promise<void>((resolve) => void server.listen(0, "127.0.0.1", resolve))
  const address = server.address()
  return `http://127.0.0.1:${address !== null && typeof address === "object" ? address.port : 0}`
}

/** Makes a URL that refuses connections, because nothing listens on its port. */
export const refusedUrl = async () => {
  const server = createServer()
  const url = await listen(server)
  await new Promise((resolve) => server.close(resolve))
  return url
}
