/**
 * A program that runs on Bun and Deno. It makes calls over fetch, most of them to its own servers, and prints as JSON
 * the number of requests that the first server got, and for each call the reason of its failure, or `none`.
 */
import { BrowserImages } from "@effect-gradient/browser"
import { Images, RetryPolicy } from "@effect-gradient/core"
import { Effect } from "effect"
import { createServer, type Server, type Socket } from "node:net"

const listen = (onConnection: (socket: Socket) => void) =>
  new Promise<{ readonly server: Server; readonly port: number }>((resolve) => {
    const server = createServer((socket) => onConnection(socket.on("error", () => undefined)))
    server.listen(0, "127.0.0.1", () => {
      const address = server.address()
      resolve({ server, port: address !== null && typeof address === "object" ? address.port : 0 })
    })
  })

const image = Buffer.concat([Buffer.from("89504e470d0a1a0a", "hex"), Buffer.alloc(100)]).toString("base64")
const body = JSON.stringify({ created: 1_700_000_000, data: [{ b64_json: image }] })
const reply = `HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ncontent-length: ${body.length}\r\n\r\n${body}`

const ask = (url: string) =>
  Images.generate({ prompt: "A sea otter" }, { retry: RetryPolicy.none }).pipe(
    Effect.as("none"),
    Effect.catch((error) => Effect.succeed(error.reason._tag)),
    Effect.provide(BrowserImages.layer({ baseUrl: `${url}/v1` })),
    Effect.runPromise
  )

let requests = 0
/**
 * A server that replies to the first request of each connection with an image, and closes the connection at the second
 * request without a reply.
 */
const breaking = await listen((socket) => {
  let text = ""
  let isServed = false
  socket.on("data", (chunk) => {
    text += String(chunk)
    if (!/\r\n\r\n[^]*(\}|\r\n0\r\n\r\n)$/.test(text)) return
    text = ""
    requests++
    if (isServed) socket.destroy()
    else socket.write(reply)
    isServed = true
  })
})
const gone = await listen(() => undefined)
await new Promise((resolve) => gone.server.close(resolve))
const notHttp = await listen((socket) => socket.end("SSH-2.0-OpenSSH_9.6\r\n"))

const reasons = {
  first: await ask(`http://127.0.0.1:${breaking.port}`),
  broken: await ask(`http://127.0.0.1:${breaking.port}`),
  refused: await ask(`http://127.0.0.1:${gone.port}`),
  unknownHost: await ask("http://service.invalid"),
  notHttp: await ask(`http://127.0.0.1:${notHttp.port}`),
  noTls: await ask(`https://127.0.0.1:${notHttp.port}`)
}
process.stdout.write(JSON.stringify({ requests, reasons }))
process.exit(0)
