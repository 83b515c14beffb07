import { describe, expect, it } from "@effect/vitest"
import * as Config from "effect/Config"
import * as Effect from "effect/Effect"
import * as Option from "effect/Option"
import { type ChildProcess, spawn } from "node:child_process"
import { createHash, randomUUID } from "node:crypto"
import { once } from "node:events"
import { mkdtempSync, readdirSync, readFileSync, writeFileSync } from "node:fs"
import * as http from "node:http"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { bundled } from "./support/programs.ts"
import { journalAt } from "./support/journalAt.ts"
import { postgres } from "./support/postgres.ts"

/** The number of requests in the batch. CI uses the default. `BATCH_REQUESTS=1000` makes the tests take minutes. */
const total = Effect.runSync(Config.Int("BATCH_REQUESTS").pipe(Config.withDefault(240)))
const seed = Effect.runSync(Config.Int("BATCH_SEED").pipe(Config.withDefault(Date.now() % 1_000_000)))
const concurrency = 8

const dice = (start: number) => {
  let state = start
  return () => {
    state = (state * 1_664_525 + 1_013_904_223) % 4_294_967_296
    return state / 4_294_967_296
  }
}

/** Makes an image that differs from all others. */
const makeImage = () => Buffer.concat([Buffer.from("89504e470d0a1a0a", "hex"), Buffer.alloc(4000, randomUUID())])

/**
 * A service with faults: it replies 429 for short times, which costs nothing, resets some connections after the
 * generation was paid for, and delays some replies longer than others.
 */
const faultyService = Effect.acquireRelease(
  Effect.promise(async () => {
    const random = dice(seed)
    const paid = new Map<string, number>()
    /** The image of each request that was answered with one, by the idempotency key of the request. */
    const images = new Map<string, Buffer>()
    const ledger = { paid, images, resets: 0, busyUntil: 0 }
    const server = http.createServer((request, response) => {
      request.resume().on("end", () => {
        const chance = random()
        if (chance < 0.02) ledger.busyUntil = Date.now() + 150
        if (Date.now() < ledger.busyUntil) {
          return void response.writeHead(429, { "retry-after-ms": "60" }).end("{}")
        }
        const key = String(request.headers["idempotency-key"])
        paid.set(key, (paid.get(key) ?? 0) + 1)
        if (chance > 0.99) {
          ledger.resets++
          return void request.socket.resetAndDestroy()
        }
        const image = makeImage()
        images.set(key, image)
        const reply = JSON.stringify({ created: 1_700_000_000, data: [{ b64_json: image.toString("base64") }] })
        setTimeout(() => response.end(reply), chance > 0.9 ? 700 : 20 + random() * 100)
      })
    })
    server.listen(0, "127.0.0.1")
    await once(server, "listening")
    const address = server.address()
    const port = address !== null && typeof address === "object" ? address.port : 0
    return { server, ledger, baseUrl: `http://127.0.0.1:${port}/v1` }
  }),
  ({ server }) =>
    Effect.promise(async () => {
      server.closeAllConnections()
      server.close()
      await once(server, "close")
    })
)

interface Plan {
  readonly baseUrl: string
  readonly journal: string
  readonly store: string
  readonly file?: string
}

/** Starts a runner in a process of its own. The process is killed when the scope closes. */
const runner = (plan: Plan) =>
  Effect.acquireRelease(
    Effect.sync(() => {
      const argument = JSON.stringify({ ...plan, concurrency, lease: 3000 })
      return spawn(process.execPath, [bundled("batchProcess"), argument], {
        stdio: ["ignore", "pipe", "inherit"]
      })
    }),
    (child) => Effect.sync(() => child.kill("SIGKILL"))
  )

const until = (holds: () => boolean) =>
  Effect.gen(function* () {
    while (!holds()) yield* Effect.sleep("20 millis")
  })

const begun = (child: ChildProcess) => Effect.promise(async () => void (await once(child.stdout ?? child, "data")))

const ended = (child: ChildProcess) =>
  Effect.promise(async () => {
    if (child.exitCode === null && child.signalCode === null) await once(child, "exit")
    return child.signalCode ?? child.exitCode
  })

const idOf = (key: string) => createHash("sha256").update(key).digest("hex")

/**
 * Runs the batch with three runners. The first is killed, and a fourth takes its place. The fourth is stopped for a
 * while. In that time the second is killed, the third is ended with SIGTERM, and a fifth begins.
 */
const runBatch = (journal: string) =>
  Effect.gen(function* () {
    const folder = mkdtempSync(join(tmpdir(), "batch-"))
    const file = join(folder, "otters.jsonl")
    writeFileSync(
      file,
      Array.from({ length: total }, (_, index) => `{"id":"${index}","prompt":"otter ${index}"}\n`).join("")
    )
    const { baseUrl, ledger } = yield* faultyService
    const plan: Plan = { baseUrl, journal, store: join(folder, "images") }

    const first = yield* runner({ ...plan, file })
    yield* begun(first)
    const [second, third] = [yield* runner(plan), yield* runner(plan)]
    yield* until(() => ledger.paid.size >= total / 3)
    first.kill("SIGKILL")
    const fourth = yield* runner(plan)
    yield* until(() => ledger.paid.size >= total / 2)
    fourth.kill("SIGSTOP")
    // A process that is stopped in the middle of a commit keeps the lock of the SQLite file. Then no runner continues
    // until that process does.
    yield* Effect.timeoutOption(
      until(() => ledger.paid.size >= (total * 2) / 3),
      "10 seconds"
    )
    second.kill("SIGKILL")
    third.kill("SIGTERM")
    const fifth = yield* runner({ ...plan, file })
    yield* Effect.sleep("4 seconds")
    fourth.kill("SIGCONT")
    const all = [first, second, third, fourth, fifth]
    expect(yield* Effect.forEach(all, ended)).toEqual(["SIGKILL", "SIGKILL", 130, 0, 0])
    // Running the same command once more sends nothing, because every request is done or in doubt.
    const paid = ledger.paid.size
    expect(yield* ended(yield* runner({ ...plan, file }))).toBe(0)
    expect(ledger.paid.size).toBe(paid)
    return { ledger, store: plan.store }
  })

type Ledger = Effect.Success<typeof faultyService>["ledger"]

/** Reads the image files of a finished request from the store. */
const storedImages = (
  store: string,
  { id, folder = "" }: { readonly id: string; readonly folder?: string | undefined }
) =>
  readdirSync(join(store, id, folder))
    .filter((name) => name.startsWith("image-"))
    .map((name) => readFileSync(join(store, id, folder, name)))

const check = (url: string, { ledger, store }: { readonly ledger: Ledger; readonly store: string }) =>
  Effect.gen(function* () {
    const { images, paid, resets } = ledger
    expect([...paid.values()].filter((count) => count > 1)).toEqual([])
    const journal = yield* journalAt(url)
    const rows = yield* Effect.forEach(
      Array.from({ length: total }),
      (_, index) => journal.find(idOf(`otters/${index}`)),
      {
        concurrency: 8
      }
    )
    const found = rows.flatMap(Option.toArray)
    expect(found.length).toBe(total)
    const done = found.filter(({ row }) => row.state === "done")
    for (const { row } of done) expect(storedImages(store, row)).toEqual([images.get(row.id)])
    const doubts = found.filter(({ row }) => row.state !== "done")
    expect(doubts.filter(({ isLapsed, row }) => !isLapsed && row.state !== "doubt")).toEqual([])
    // Each of the two runners that were killed left at most `concurrency` requests in doubt, and each connection that
    // the service reset left one more. The runner that was ended with SIGTERM left none.
    expect(doubts.length).toBeLessThanOrEqual(2 * concurrency + resets)
    expect(doubts.filter(({ row }) => row.note === "interrupted")).toEqual([])
    return { done: found.length - doubts.length, doubts: doubts.length, resets }
  })

describe("a batch whose runners are killed, ended and stopped", () => {
  it.live(
    `on PostgreSQL: nothing is paid twice and nothing is lost (${total} requests, seed ${seed})`,
    (context) =>
      Effect.gen(function* () {
        const server = yield* postgres
        if (Option.isNone(server)) return context.skip("PostgreSQL does not start here")
        const { url } = server.value
        const counts = yield* check(url, yield* runBatch(url))
        if (total >= 1000) yield* Effect.logInfo(counts)
      }).pipe(Effect.scoped),
    120_000 + total * 500
  )

  it.live(
    `on SQLite: the same (${total} requests, seed ${seed})`,
    () =>
      Effect.gen(function* () {
        const journal = join(mkdtempSync(join(tmpdir(), "batch-journal-")), "journal.db")
        yield* check(journal, yield* runBatch(journal))
      }).pipe(Effect.scoped),
    120_000 + total * 500
  )
})
