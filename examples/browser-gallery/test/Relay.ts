/**
 * A TCP relay between two programs. It records what they send and which one closes a connection, and can break one.
 */
import { Effect, type Scope } from "effect"
import * as Net from "node:net"

/** One connection that was relayed. */
interface Connection {
  readonly requests: Array<string>
  readonly replies: Array<Buffer>
  hungUpBy: "client" | "server" | undefined
}

/** A relay that listens. */
export class Relay {
  readonly connections: Array<Connection> = []
  /** Hangs up on the next POST when its reply begins, before any of it has passed. */
  dropNextReply = false
  private readonly server: Net.Server
  private readonly sockets = new Set<Net.Socket>()

  /** The server of the next connections. */
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

  /** How many POSTs passed. */
  get posts(): number {
    return this.connections.flatMap(({ requests }) => requests).filter((text) => text.startsWith("POST ")).length
  }

  /** Everything that was sent to clients. */
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

  /** Closes the port and all connections. */
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

/** A relay to this address, on a port of its own. */
export const make = (target: string): Effect.Effect<Relay, never, Scope.Scope> =>
  Effect.acquireRelease(
    Effect.promise(async () => {
      const relay = new Relay(new URL(target))
      await relay.listen()
      return relay
    }),
    (relay) => Effect.sync(() => relay.end())
  )
