/**
 * The test server, in its own process. The body of a reply is prepared once for consecutive requests with the same
 * path, for a stream with HTTP's chunked coding, so that the server takes little time to send it. The path of a request
 * decides what the server sends; `pathOf` makes the paths of the works.
 */
import { randomBytes } from "node:crypto"
import { once } from "node:events"
import { createServer, type OutgoingHttpHeaders, type ServerResponse } from "node:http"
import type { AddressInfo } from "node:net"
import { setImmediate } from "node:timers/promises"

interface Reply {
  readonly paceMicros: number
  readonly headers: OutgoingHttpHeaders
  readonly parts: ReadonlyArray<Buffer>
}

/** Splits the bytes into chunks of this size, in HTTP's chunked coding. */
const chunked = (bytes: Buffer, size: number): ReadonlyArray<Buffer> => {
  const chunks: Array<Buffer> = []
  for (let at = 0; at < bytes.length; at += size) {
    const chunk = bytes.subarray(at, at + size)
    chunks.push(Buffer.concat([Buffer.from(`${chunk.length.toString(16)}\r\n`), chunk, Buffer.from("\r\n")]))
  }
  return chunks
}

const settings = { background: "opaque", output_format: "png", quality: "high", size: "1024x1024" }
const usage = { input_tokens: 20, output_tokens: 4160, total_tokens: 4180 }

const streamReply = (images: number, base64: string, chunkBytes: number, paceMicros: number): Reply => {
  const event = (type: string, more: object) =>
    chunked(
      Buffer.from(
        `event: ${type}\ndata: ${JSON.stringify({ type, b64_json: base64, created_at: 1_790_000_000, ...settings, ...more })}\n\n`
      ),
      chunkBytes
    )
  // All partial images are the same buffer, with the same index, so that a hundred of them take no more memory than
  // one.
  const partial = event("image_generation.partial_image", { partial_image_index: 0 })
  const completed = event("image_generation.completed", { usage })
  return {
    paceMicros,
    headers: { "content-type": "text/event-stream", "transfer-encoding": "chunked" },
    parts: [...Array.from({ length: images - 1 }, () => partial).flat(), ...completed, Buffer.from("0\r\n\r\n")]
  }
}

const jsonReply = (images: number, base64: string): Reply => {
  const data = Array.from({ length: images }, () => ({ b64_json: base64, revised_prompt: "A cute baby sea otter" }))
  const body = Buffer.from(JSON.stringify({ created: 1_790_000_000, data, ...settings, usage }))
  return {
    paceMicros: 0,
    headers: { "content-type": "application/json", "content-length": body.length },
    parts: [body]
  }
}

/** A JSON body of this many bytes, without an image. */
const emptyReply = (length: number): Reply => {
  const body = Buffer.from('{"data":[]}'.padEnd(length))
  return { paceMicros: 0, headers: { "content-type": "application/json", "content-length": length }, parts: [body] }
}

const replyOf = (path: string): Reply => {
  const [, kind, ...numbers] = path.split("/")
  if (kind === "empty") return emptyReply(Number(numbers[0]))
  const [images = 1, imageBytes = 0, chunkBytes = 1, paceMicros = 0] = numbers.map(Number)
  const base64 = randomBytes(imageBytes).toString("base64")
  return kind === "stream" ? streamReply(images, base64, chunkBytes, paceMicros) : jsonReply(images, base64)
}

let last: { readonly path: string; readonly reply: Reply } | undefined

const server = createServer({ keepAliveTimeout: 600_000 }, (request, response) => {
  const path = request.url ?? "/"
  if (last?.path !== path) last = { path, reply: replyOf(path) }
  const { reply } = last
  request.resume().once("end", () => {
    response.writeHead(200, {
      ...reply.headers,
      "x-request-id": "bench",
      "ratelimit-limit": 250,
      "ratelimit-remaining": 249
    })
    response.flushHeaders()
    response.chunkedEncoding = false // The parts of a stream already contain HTTP's chunked coding.
    void send(reply, response)
  })
})

/** Writes each part to the socket, with the work's pause after it. `response.write` would join parts. */
const send = async ({ paceMicros, parts }: Reply, response: ServerResponse): Promise<void> => {
  const { socket } = response
  if (socket === null) return
  for (const part of parts) {
    if (!socket.write(part)) await once(socket, "drain")
    for (const due = performance.now() + paceMicros / 1000; performance.now() < due;) await setImmediate()
  }
  response.end()
}

const isAddress = (address: AddressInfo | string | null): address is AddressInfo =>
  address !== null && typeof address !== "string"

server.listen(0, "127.0.0.1", () => {
  const address = server.address()
  if (isAddress(address)) process.send?.(`http://127.0.0.1:${address.port}`)
})
process.on("disconnect", () => process.exit())
