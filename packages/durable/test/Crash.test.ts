import { describe, expect, it } from "@effect/vitest"
import * as Config from "effect/Config"
import * as Effect from "effect/Effect"
import * as Option from "effect/Option"
import { createHash } from "node:crypto"
import { mkdtempSync, readFileSync } from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { GenerationJournal } from "../src/index.ts"
import { journalAt } from "./support/journalAt.ts"
import { postgres } from "./support/postgres.ts"
import { type Line, type Plan, service, Started } from "./support/processes.ts"

/**
 * How many processes each test kills at random moments: an even number. CI uses the default. `DURABLE_KILLS=200` makes
 * the tests take minutes.
 */
const kills = Effect.runSync(Config.Int("DURABLE_KILLS").pipe(Config.withDefault(6)))
const seed = Effect.runSync(Config.Int("DURABLE_SEED").pipe(Config.withDefault(Date.now() % 1_000_000)))

const idOf = (key: string) => createHash("sha256").update(key).digest("hex")

const setup = (journal?: string) =>
  Effect.map(service, ({ baseUrl, generations }) => {
    const folder = mkdtempSync(join(tmpdir(), "crash-"))
    const plan: Omit<Plan, "keys"> = {
      baseUrl,
      journal: journal ?? join(folder, "journal.db"),
      store: join(folder, "images"),
      lease: 2500,
      concurrency: 16,
      signal: "SIGKILL"
    }
    return { plan, paid: (key: string) => generations.get(idOf(key)) ?? 0, generations }
  })

/** Runs a process to its end. Returns the line that it printed for each key. */
const run = (plan: Plan) =>
  Effect.promise(async () => {
    const process = new Started(plan)
    await process.ended()
    return new Map(process.lines.map((line) => [line.key, line]))
  })

/**
 * The points at which a process is killed. Each has the number of requests that were paid for by then, and the outcome
 * that the next process gets for the key.
 */
const points = [
  ["before Begin", 0, "image"],
  ["after Begin", 0, "InDoubtError"],
  ["before sending", 0, "InDoubtError"],
  ["after sending", 1, "InDoubtError"],
  ["before image-0.png", 1, "InDoubtError"],
  ["after image-0.png", 1, "InDoubtError"],
  ["after image-1.png", 1, "image"],
  ["before manifest.json", 1, "image"],
  ["after manifest.json", 1, "image"],
  ["before Complete", 1, "image"],
  ["after Complete", 1, "image"]
] as const

const expectPromise = (generations: ReadonlyMap<string, number>) => {
  expect([...generations.values()].filter((count) => count > 1)).toEqual([])
}

const killedAtEachPoint = (journal?: string) =>
  Effect.gen(function* () {
    const { generations, paid, plan } = yield* setup(journal)
    const ends = yield* Effect.forEach(
      points,
      ([point]) =>
        Effect.promise(async () => {
          const ended = await new Started({ ...plan, keys: [point], point }).ended()
          return [point, ended, paid(point)]
        }),
      { concurrency: 3 }
    )
    expect(ends).toEqual(points.map(([point, before]) => [point, "SIGKILL", before]))
    const lines = yield* run({ ...plan, keys: points.map(([point]) => point) })
    expect(points.map(([point]) => [point, lines.get(point)?.outcome])).toEqual(
      points.map(([point, , outcome]) => [point, outcome])
    )
    expectPromise(generations)
    return { plan, generations }
  })

/** Makes a generator of pseudo-random numbers from 0 to 1. With the same seed, it gives the same numbers. */
const dice = (start: number) => {
  let state = start
  return () => {
    state = (state * 1_664_525 + 1_013_904_223) % 4_294_967_296
    return state / 4_294_967_296
  }
}

/**
 * Starts two processes that ask for the same keys, kills both at random moments, and repeats this with the next two. At
 * the end, one process asks for all keys, and then another one does.
 */
const killedAtRandom = (journal?: string) =>
  Effect.gen(function* () {
    const { generations, plan } = yield* setup(journal)
    const random = dice(seed)
    const keys: Array<string> = []
    for (let killed = 0; killed < kills; killed += 2) {
      for (let index = 0; index < 12; index++) keys.push(`${killed}/${index}`)
      const recent = keys.slice(-24)
      const processes = [new Started({ ...plan, keys: recent }), new Started({ ...plan, keys: recent.toReversed() })]
      yield* Effect.forEach(
        processes,
        (process) =>
          Effect.promise(async () => {
            await process.ready()
            await new Promise((resolve) => setTimeout(resolve, random() * 400))
            process.child.kill("SIGKILL")
            await process.ended()
          }),
        { concurrency: "unbounded" }
      )
    }
    const lines = yield* run({ ...plan, keys, concurrency: 64 })
    expectPromise(generations)
    expect(lines.size).toBe(keys.length)
    const settled = ({ outcome, status }: Line) =>
      (outcome === "image" && status === "done") ||
      (outcome === "InDoubtError" && status === "in-doubt") ||
      // On a slow machine a process may stall for half of this short lease. Then it sends nothing.
      (outcome === "JournalError" && status === "free")
    expect([...lines.values()].filter((line) => !settled(line))).toEqual([])
    // If one more process asks for all keys, still no key is paid for twice.
    yield* run({ ...plan, keys, concurrency: 64 })
    expectPromise(generations)
  })

describe("a process that is killed", () => {
  it.live(
    "at each step, on SQLite: nothing is paid twice; each key is stored, free, or in doubt",
    () => Effect.scoped(killedAtEachPoint()),
    120_000
  )

  it.live(
    `at random moments, two at a time, on SQLite: nothing is paid twice (${kills} kills, seed ${seed})`,
    () => Effect.scoped(killedAtRandom()),
    60_000 + kills * 6000
  )

  it.live(
    `at each step and at random moments, on PostgreSQL: nothing is paid twice (${kills} kills, seed ${seed})`,
    (context) =>
      Effect.gen(function* () {
        const server = yield* postgres
        if (Option.isNone(server)) return context.skip("PostgreSQL does not start here")
        yield* Effect.scoped(killedAtEachPoint(server.value.url))
        yield* Effect.scoped(killedAtRandom(server.value.url))
      }).pipe(Effect.scoped),
    180_000 + kills * 6000
  )
})

const isStopped = ({ child: { pid } }: Started) => /^\d+ \(.*\) T/.test(readFileSync(`/proc/${pid}/stat`, "utf8"))

const until = async (holds: () => boolean) => {
  while (!holds()) await new Promise((resolve) => setTimeout(resolve, 20))
}

/** The points at which a process is stopped, and the outcome that another process then gets for the key. */
const stops = points.map(([point, , outcome]) => [point, outcome] as const)

const repeat = (journal: string, key: string) =>
  Effect.gen(function* () {
    const moved = yield* (yield* journalAt(journal)).move(idOf(key), GenerationJournal.Move.Repeat({ attempt: 1 }))
    expect(Option.isSome(moved)).toBe(true)
  }).pipe(Effect.scoped)

/** Starts a process, and kills it when the scope closes, because a stopped process would never end. */
const started = (plan: Plan) =>
  Effect.acquireRelease(
    Effect.sync(() => new Started(plan)),
    ({ child }) => Effect.sync(() => child.kill("SIGKILL"))
  )

const stalledAtEachPoint = (journal?: string) =>
  Effect.gen(function* () {
    const { generations, paid, plan } = yield* setup(journal)
    const stopped = yield* Effect.forEach(
      stops,
      ([point]) =>
        Effect.tap(started({ ...plan, keys: [point], point, signal: "SIGSTOP" }), (process) =>
          Effect.promise(() => until(() => isStopped(process)))
        ),
      // Only three processes start at a time. A process that starts slowly would stall for half its lease, and then
      // send nothing.
      { concurrency: 3 }
    )
    yield* Effect.sleep("3 seconds")
    const keys = stops.map(([point]) => point)
    const lines = yield* run({ ...plan, keys })
    expect(stops.map(([point]) => [point, lines.get(point)?.outcome])).toEqual(stops)

    // A person decides `repeat` for a request that the stopped process will still send. It may then be paid for twice,
    // but not more often.
    const repeated = "before sending"
    yield* repeat(plan.journal, repeated)
    expect((yield* run({ ...plan, keys: [repeated] })).get(repeated)?.outcome).toBe("image")
    expect(paid(repeated)).toBe(1)

    for (const { child } of stopped) child.kill("SIGCONT")
    yield* Effect.promise(() => Promise.all(stopped.map((process) => process.ended())))
    expect(paid(repeated)).toBe(2)
    generations.delete(idOf(repeated))
    expectPromise(generations)
    // The process that was stopped after `Begin` saw that more than half of its lease was over, and sent nothing.
    expect(paid("after Begin")).toBe(0)

    const after = yield* run({ ...plan, keys })
    expect([...after.values()].map(({ outcome }) => outcome)).toEqual(keys.map(() => "image"))
    generations.delete(idOf(repeated))
    expectPromise(generations)
  })

describe("a process that stalls for longer than its lease", () => {
  it.live(
    "at each step, on SQLite: nothing is paid twice without a person, and its outcome is kept",
    (context) =>
      process.platform === "linux"
        ? Effect.scoped(stalledAtEachPoint())
        : context.skip("whether a process is stopped is read from /proc"),
    120_000
  )

  it.live(
    "at each step, on PostgreSQL: the same",
    (context) =>
      Effect.gen(function* () {
        if (process.platform !== "linux") return context.skip("whether a process is stopped is read from /proc")
        const server = yield* postgres
        if (Option.isNone(server)) return context.skip("PostgreSQL does not start here")
        yield* Effect.scoped(stalledAtEachPoint(server.value.url))
      }).pipe(Effect.scoped),
    180_000
  )
})

describe("callers of one key in two processes", () => {
  it.live(
    "pay for one generation, and all 100 get the same bytes, whole or streamed",
    () =>
      Effect.gen(function* () {
        const { generations, plan } = yield* setup()
        const keys = Array.from({ length: 50 }, () => "shared")
        const processes = [false, true].map(
          (isStreaming) => new Started({ ...plan, keys, concurrency: 50, lease: 60_000, isStreaming })
        )
        const ends = yield* Effect.promise(() => Promise.all(processes.map((process) => process.ended())))
        expect(ends).toEqual([0, 0])
        const lines = processes.flatMap((process) => process.lines)
        expect(lines.length).toBe(100)
        expect(lines.filter(({ outcome }) => outcome !== "image")).toEqual([])
        expect(new Set(lines.map(({ sha256 }) => sha256)).size).toBe(1)
        expect(lines[0]?.sha256).toMatch(/^[0-9a-f]{64}$/)
        expect([...generations]).toEqual([[idOf("shared"), 1]])
      }).pipe(Effect.scoped),
    60_000
  )
})

describe("a PostgreSQL that is stopped while requests are under way", () => {
  it.live(
    "loses nothing: the images are stored, and their outcomes are written when it is back",
    (context) =>
      Effect.gen(function* () {
        const server = yield* postgres
        if (Option.isNone(server)) return context.skip("PostgreSQL does not start here")
        const { start, stop, url } = server.value
        const { generations, plan } = yield* setup(url)
        const keys = Array.from({ length: 40 }, (_, index) => `key ${index}`)
        const process = new Started({ ...plan, keys, concurrency: 4, lease: 60_000 })
        yield* Effect.promise(() => until(() => generations.size >= 8))
        yield* stop
        yield* Effect.sleep("10 seconds")
        yield* start
        yield* Effect.promise(() => process.ended())
        expectPromise(generations)
        const outcomes = new Set(process.lines.map(({ outcome }) => outcome))
        expect([...outcomes].filter((outcome) => outcome !== "image" && outcome !== "JournalError")).toEqual([])
        const after = yield* run({ ...plan, keys })
        expect([...after.values()].filter(({ outcome }) => outcome !== "image")).toEqual([])
        expectPromise(generations)
        expect((yield* (yield* journalAt(url)).list({ states: ["done"], limit: 100 })).length).toBe(keys.length)
      }).pipe(Effect.scoped),
    120_000
  )
})
