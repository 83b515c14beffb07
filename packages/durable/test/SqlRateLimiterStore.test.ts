import { describe, expect, it } from "@effect/vitest"
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import * as Option from "effect/Option"
import * as RateLimiter from "effect/persistence/RateLimiter"
import { execFile, spawn, spawnSync } from "node:child_process"
import { mkdtempSync } from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { promisify } from "node:util"
import { SqlRateLimiterStore } from "../src/index.ts"
import { SqliteClient } from "../src/node/index.ts"
import { bundled } from "./support/programs.ts"
import { freePort, postgres } from "./support/postgres.ts"
import { service } from "./support/processes.ts"

const algorithms = ["fixed-window", "token-bucket"] as const

const sqlite = () => join(mkdtempSync(join(tmpdir(), "limit-")), "journal.db")

/**
 * Runs two processes with one limit. Returns how many of their calls succeeded, and how many requests the service got.
 */
const twoProcesses = Effect.fnUntraced(function* (store: string, algorithm: (typeof algorithms)[number]) {
  const { baseUrl, generations } = yield* service
  const plan = JSON.stringify({ baseUrl, store, algorithm, limit: 25, calls: 40 })
  const run = () => promisify(execFile)(process.execPath, [bundled("limitedProcess"), plan])
  const printed = yield* Effect.promise(() => Promise.all([run(), run()]))
  const requests = [...generations.values()].reduce((sum, count) => sum + count, 0)
  return { succeeded: printed.reduce((sum, { stdout }) => sum + Number(stdout), 0), requests }
}, Effect.scoped)

const redis = Effect.acquireRelease(
  Effect.promise(async () => {
    const port = await freePort()
    const child = spawn("redis-server", ["--port", String(port), "--bind", "127.0.0.1", "--save", ""])
    await new Promise<void>((resolve) => child.stdout.on("data", (text) => /Ready/.test(String(text)) && resolve()))
    return { child, url: `redis://127.0.0.1:${port}` }
  }),
  ({ child }) => Effect.sync(() => child.kill())
)

describe("a limit over two processes is never exceeded, and used to its end", () => {
  it.live.each(algorithms)(
    "%s, on SQLite",
    (algorithm) =>
      Effect.gen(function* () {
        expect(yield* twoProcesses(sqlite(), algorithm)).toEqual({ succeeded: 25, requests: 25 })
      }),
    60_000
  )

  it.live(
    "on PostgreSQL",
    (context) =>
      Effect.gen(function* () {
        const server = yield* postgres
        if (Option.isNone(server)) return context.skip("PostgreSQL does not start here")
        expect(yield* twoProcesses(server.value.url, "fixed-window")).toEqual({ succeeded: 25, requests: 25 })
      }).pipe(Effect.scoped),
    120_000
  )

  it.live(
    "on Redis",
    (context) =>
      Effect.gen(function* () {
        if (spawnSync("redis-server", ["--version"]).status !== 0) return context.skip("there is no redis-server")
        const { url } = yield* redis
        expect(yield* twoProcesses(url, "token-bucket")).toEqual({ succeeded: 25, requests: 25 })
      }).pipe(Effect.scoped),
    60_000
  )
})

describe("the store in SQL", () => {
  const layer = RateLimiter.layer.pipe(
    Layer.provide(SqlRateLimiterStore.layer()),
    Layer.provide(SqliteClient.layer({ filename: ":memory:" }))
  )
  const consume = (options: Partial<Parameters<RateLimiter.RateLimiter["consume"]>[0]> = {}) =>
    Effect.flatMap(RateLimiter.RateLimiter, (limiter) =>
      limiter.consume({ key: "k", limit: 2, window: "400 millis", onExceeded: "fail", ...options })
    )

  it.live.each(algorithms)(
    "%s: refuses what is over the limit, with the time to wait, and allows it after that",
    (algorithm) =>
      Effect.gen(function* () {
        yield* consume({ algorithm })
        yield* consume({ algorithm })
        const { reason } = yield* Effect.flip(consume({ algorithm }))
        if (reason._tag !== "RateLimitExceeded") return expect(reason._tag).toBe("RateLimitExceeded")
        expect(Duration.toMillis(reason.retryAfter)).toBeGreaterThan(0)
        yield* Effect.sleep(Duration.sum(reason.retryAfter, Duration.millis(20)))
        yield* consume({ algorithm })
      }).pipe(Effect.provide(layer))
  )

  it.live.each(algorithms)("%s: delays what is over the limit, each longer than the one before", (algorithm) =>
    Effect.gen(function* () {
      const options = { algorithm, limit: 1, window: "10 minutes", onExceeded: "delay" } as const
      const results = [yield* consume(options), yield* consume(options), yield* consume(options)]
      const minutes = results.map(({ delay }) => Math.round(Duration.toMinutes(delay)))
      expect(minutes).toEqual([0, 10, 20])
    }).pipe(Effect.provide(layer))
  )

  it.live("counts each key apart", () =>
    Effect.gen(function* () {
      yield* consume({ limit: 1 })
      yield* consume({ limit: 1, key: "other" })
      expect((yield* Effect.flip(consume({ limit: 1 }))).reason._tag).toBe("RateLimitExceeded")
    }).pipe(Effect.provide(layer))
  )
})
