/** Servers on loopback for tests, and replies of the service. */
import * as Effect from "effect/Effect"
import * as http from "node:http"
import * as net from "node:net"

export interface TestServer {
  readonly baseUrl: string
  readonly requests: Array<{ readonly headers: http.IncomingHttpHeaders; readonly body: string }>
  readonly sockets: Set<net.Socket>
}

export const serve = (answer: (request: http.IncomingMessage, response: http.ServerResponse, body: string) => void) =>
  Effect.acquireRelease(
    Effect.callback<TestServer & { readonly server: http.Server }>((resume) => {
      const requests: TestServer["requests"] = []
      const sockets = new Set<net.Socket>()
      const server = http.createServer((request, response) => {
        const chunks: Array<Buffer> = []
        request.on("data", (chunk: Buffer) => chunks.push(chunk))
        request.on("end", () => {
          const body = Buffer.concat(chunks).toString()
          requests.push({ headers: request.headers, body })
          answer(request, response, body)
        })
      })
      server.on("connection", (socket) => {
        sockets.add(socket)
        socket.on("close", () => sockets.delete(socket))
      })
      server.listen(0, "127.0.0.1", () => {
        const address = server.address()
        const port = address !== null && typeof address === "object" ? address.port : 0
        resume(Effect.succeed({ server, baseUrl: `http://127.0.0.1:${port}/v1`, requests, sockets }))
      })
    }),
    ({ server }) =>
      Effect.callback<void>((resume) => {
        server.close(() => resume(Effect.void))
        server.closeAllConnections()
      })
  )

/**
 * Waits in real time until `holds` returns true. Fails after three seconds, which is before idle connections close by
 * themselves.
 */
export const eventually = (holds: () => boolean, what: string) =>
  Effect.promise(async () => {
    const end = Date.now() + 3000
    while (!holds()) {
      if (Date.now() > end) throw new Error(`never: ${what}`)
      await new Promise((resolve) => setTimeout(resolve, 5))
    }
  })

export const png = (bytes: number) =>
  Buffer.concat([Buffer.from("89504e470d0a1a0a", "hex"), Buffer.alloc(bytes, "effect-gradient")])

export const partialImage = (index: number, image: Buffer) =>
  `event: image_generation.partial_image\ndata: ${JSON.stringify({
    type: "image_generation.partial_image",
    b64_json: image.toString("base64"),
    partial_image_index: index,
    created_at: 1_700_000_000,
    size: "1024x1024",
    quality: "high",
    background: "opaque",
    output_format: "png"
  })}\n\n`

export const completed = (image: Buffer) =>
  `event: image_generation.completed\ndata: ${JSON.stringify({
    type: "image_generation.completed",
    b64_json: image.toString("base64"),
    created_at: 1_700_000_000,
    usage: { input_tokens: 1, output_tokens: 2, total_tokens: 3 }
  })}\n\n`

export const responseBody = (...images: ReadonlyArray<Buffer>) =>
  JSON.stringify({ created: 1_700_000_000, data: images.map((image) => ({ b64_json: image.toString("base64") })) })

/** Makes a server listen on loopback until the scope closes, and returns its port. */
export const listening = (server: net.Server) =>
  Effect.acquireRelease(
    Effect.callback<number>((resume) => {
      server.listen(0, "127.0.0.1", () => {
        const address = server.address()
        resume(Effect.succeed(address !== null && typeof address === "object" ? address.port : 0))
      })
    }),
    () => Effect.sync(() => server.close())
  )

/** Starts a TCP server on loopback, and returns its port. */
export const tcp = (accept: (socket: net.Socket) => void) =>
  Effect.gen(function* () {
    const sockets = new Set<net.Socket>()
    yield* Effect.addFinalizer(() =>
      Effect.sync(() => {
        for (const socket of sockets) socket.destroy()
      })
    )
    return yield* listening(
      net.createServer((socket) => {
        sockets.add(socket.on("error", () => undefined))
        accept(socket)
      })
    )
  })
