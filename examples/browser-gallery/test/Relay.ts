/**
 * A TCP relay between a client and a server. It can break connections. It records what it passes on, and which of the
 * two closes a connection first if the relay does not break it.
 */
import { Effect, type Scope } from "effect"
import * as Net from "node:net"

/** One connection of a client through the relay. */
interface Connection {
  readonly requests: Array<string>
  readonly replies: Array<Buffer>
  hungUpBy: "client" | "server" | undefined
}

export class Relay {
  readonly connections: Array<Connection> = []
  /**
   * Whether to break the connection of the next POST when the server begins to reply, before the client gets any of the
   * reply.
   */
  dropNextReply = false
  private readonly server: Net.Server
  private readonly sockets = new Set<Net.Socket>()

  /** The URL of the server that new connections go to. Open connections stay with the server that they have. */
  target: URL

  constructor(target: URL) {
    this.target = target
    this.server = Net.createServer((client) =>
      this.relay(client, Net.connect(Number(this.target.port), this.target.hostname))
    )
  }

  get url(): string {
    const address = this.server.address()
    return `http://127.0.0.1:${typeof address === "object" ? address?.port : address}`
  }

  /** How many POST requests the relay has passed on to servers. */
  get posts(): number {
    return this.connections.flatMap(({ requests }) => requests).filter((text) => text.startsWith("POST ")).length
  }

  /** All bytes that were passed on to clients, as Latin-1 text. */
  get replies(): string {
    return Buffer.concat(this.connections.flatMap(({ replies }) => replies)).toString("latin1")
  }

  listen(): Promise<void> {
    return new Promise((resolve) => {
      this.server.listen(0, "127.0.0.1", resolve)
    })
  }

  /** Breaks all connections. */
  cut(): void {
    for (const socket of this.sockets) socket.destroy()
  }

  /** Closes the port and breaks all connections. */
  end(): void {
    this.server.close()
    this.cut()
  }

  private relay(client: Net.Socket, server: Net.Socket): void {
    const connection: Connection = { requests: [], replies: [], hungUpBy: undefined }
    this.connections.push(connection)
    this.sockets.add(client).add(server)
    let drops = false
    client.on("data", (chunk) => {
      const text = chunk.toString("latin1")
      connection.requests.push(text)
      if (text.startsWith("POST ") && this.dropNextReply) {
        drops = true
        this.dropNextReply = false
      }
      server.write(chunk)
    })
    server.on("data", (chunk) => {
      if (drops) {
        client.destroy()
        return
      }
      connection.replies.push(chunk)
      client.write(chunk)
    })
    for (const [by, socket, other] of [
      ["client", client, server],
      ["server", server, client]
    ] as const) {
      // A reset counts as a close.
      socket.on("error", () => socket.destroy())
      socket.on("close", () => {
        connection.hungUpBy ??= by
        other.destroy()
      })
    }
  }
}

/** Starts a relay to this URL on a free port. It stops when the scope closes. */
export const make = (target: string): Effect.Effect<Relay, never, Scope.Scope> =>
  Effect.acquireRelease(
    Effect.promise(async () => {
      const relay = new Relay(new URL(target))
      await relay.listen()
      return relay
    }),
    (relay) => Effect.sync(() => relay.end())
  )
