import { describe, it } from "@effect/vitest"
import * as Clock from "effect/Clock"
import * as Context from "effect/Context"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import { SqlClient } from "effect/sql/SqlClient"
import fc from "fast-check"
import { GenerationJournal } from "../src/index.ts"
import { SqliteClient } from "../src/node/index.ts"
import { leaseMillis, type Process, World } from "./support/World.ts"

/**
 * A simulated world, and a function that moves its clock. The journal in memory reads this clock. In SQLite, the times
 * of the leases are moved back instead.
 */
interface Setup {
  readonly world: World
  readonly advance: (millis: number) => Promise<void>
}

class Step implements fc.AsyncCommand<object, Setup> {
  readonly #name: string
  readonly #run: (setup: Setup) => Promise<void> | void

  constructor(name: string, run: (setup: Setup) => Promise<void> | void) {
    this.#name = name
    this.#run = run
  }

  check(): boolean {
    return true
  }

  async run(_model: object, setup: Setup): Promise<void> {
    await this.#run(setup)
    const { allowed, isPromiseKept, sent, uncharged } = setup.world
    if (!isPromiseKept) throw new Error(`sent ${sent}, uncharged ${uncharged}, allowed by a person ${allowed}`)
  }

  toString(): string {
    return this.#name
  }
}

/**
 * Makes a step of one of the three processes. `isAnswered` is false in about a quarter of the steps: the answer of the
 * database is then lost, if the step reads `isAnswered`.
 */
const ofProcess = (name: string, run: (world: World, process: Process, isAnswered: boolean) => Promise<void> | void) =>
  fc.record({ index: fc.integer({ min: 0, max: 2 }), isAnswered: fc.integer({ min: 0, max: 3 }) }).map(
    ({ index, isAnswered }) =>
      new Step(`${name} ${index}${isAnswered === 0 ? ", unanswered" : ""}`, ({ world }) => {
        const process = world.processes[index]
        return process === undefined ? undefined : run(world, process, isAnswered !== 0)
      })
  )

const ofPerson = (what: Parameters<World["say"]>[0]) =>
  fc
    .boolean()
    .map(
      (isAnswered) => new Step(`${what}${isAnswered ? "" : ", unanswered"}`, ({ world }) => world.say(what, isAnswered))
    )

const beginAndSend = ofProcess("begin, check and send", async (world, process) => {
  await world.begin(process, true)
  await world.check(process)
  world.send(process)
})
const uncharged = ofProcess("uncharged", (world, process, isAnswered) => world.end(process, "uncharged", isAnswered))
const resume = ofProcess("resume", (world, process) => world.again(process))
const wait = fc
  .constantFrom(1000, leaseMillis / 2, leaseMillis, leaseMillis * 3)
  .map((millis) => new Step(`wait ${millis} ms`, ({ advance }) => advance(millis)))
const lookAndRepeat = fc.boolean().map(
  (isAnswered) =>
    new Step(`look and repeat${isAnswered ? "" : ", unanswered"}`, async ({ world }) => {
      await world.look()
      await world.say("Repeat", isAnswered)
    })
)
const lookAndForget = fc.boolean().map(
  (isAnswered) =>
    new Step(`look and forget${isAnswered ? "" : ", unanswered"}`, async ({ world }) => {
      await world.look()
      await world.say("Forget", isAnswered)
    })
)

/**
 * Some steps that lead to many requests are in the list several times, so that they are chosen more often than steps
 * that end a generation.
 */
const steps = [
  ...Array.from({ length: 5 }, () => beginAndSend),
  ...Array.from({ length: 3 }, () => uncharged),
  ...Array.from({ length: 3 }, () => resume),
  ...Array.from({ length: 2 }, () => lookAndRepeat),
  lookAndForget,
  wait,
  ofProcess("begin", (world, process, isAnswered) => world.begin(process, isAnswered)),
  ofProcess("wake", (world, process) => world.check(process)),
  ofProcess("send", (world, process) => world.send(process)),
  ofProcess("maybe charged", (world, process, isAnswered) => world.end(process, "doubt", isAnswered)),
  ofProcess("completed", (world, process, isAnswered) => world.end(process, "completed", isAnswered)),
  ofProcess("crash", (world, process) => world.crash(process)),
  ofProcess("renew", (world, process) => world.renew(process)),
  fc.constant(new Step("look", ({ world }) => world.look())),
  ...(["Repeat", "Abandon", "Expire", "Erase", "Forget"] as const).map(ofPerson)
]

const inMemory = async (): Promise<Setup> => {
  const context = await Effect.runPromise(Effect.scoped(Layer.build(GenerationJournal.layerMemory)))
  const world: World = new World(Context.get(context, GenerationJournal.GenerationJournal), (effect) =>
    Effect.runPromise(
      Effect.flatMap(Clock.Clock, (clock) =>
        Effect.provideService(effect, Clock.Clock, { ...clock, currentTimeMillis: Effect.sync(() => world.now) })
      )
    )
  )
  const advance = async (millis: number) => {
    world.now += millis
  }
  return { world, advance }
}

const onSqlite =
  (context: Context.Context<GenerationJournal.GenerationJournal | SqlClient>) => async (): Promise<Setup> => {
    const sql = Context.get(context, SqlClient)
    await Effect.runPromise(Effect.all([sql`DELETE FROM gradient_generation`, sql`DELETE FROM gradient_holder`]))
    const world = new World(Context.get(context, GenerationJournal.GenerationJournal), (effect) =>
      Effect.runPromise(effect)
    )
    const advance = async (millis: number) => {
      world.now += millis
      await Effect.runPromise(
        Effect.all([
          sql`UPDATE gradient_generation SET lease_until = lease_until - ${millis}`,
          sql`UPDATE gradient_holder SET alive_until = alive_until - ${millis}`
        ])
      )
    }
    return { world, advance }
  }

const property = (setup: () => Promise<Setup>) =>
  fc.asyncProperty(fc.commands(steps, { maxCommands: 80, size: "max" }), async (commands) => {
    const real = await setup()
    await fc.asyncModelRun(() => ({ model: {}, real }), commands)
  })

describe("the promise: sent <= 1 + proven uncharged + repeat or forget", () => {
  it("holds for any order of steps, in memory", () => fc.assert(property(inMemory), { numRuns: 3000 }))

  const sqlite = GenerationJournal.layerSql().pipe(Layer.provideMerge(SqliteClient.layer({ filename: ":memory:" })))

  it.effect("holds for any order of steps, on SQLite", () =>
    Effect.gen(function* () {
      const context = yield* Layer.build(sqlite)
      yield* Effect.promise(() => fc.assert(property(onSqlite(context)), { numRuns: 400 }))
    }).pipe(Effect.scoped)
  )
})
