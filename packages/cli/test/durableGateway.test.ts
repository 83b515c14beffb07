import { assert, describe, it } from "@effect/vitest"
import { Emulator, Ledger } from "@effect-gradient/emulator"
import { Config, Effect, Fiber, Layer, Scope } from "effect"
import { join } from "node:path"
import { type Callers, pictureIn, randomOf, receive, type Received, wanted } from "./support/callers.ts"
import { folder } from "./support/cli.ts"
import { callers, gateway } from "./support/gateway.ts"

/**
 * `GATEWAY_CALLERS=200` runs the tests with 200 callers. `SEED` gives the random numbers of an earlier run, in the same
 * order.
 */
const settings = Config.all({
  count: Config.Int("GATEWAY_CALLERS").pipe(Config.withDefault(40)),
  seed: Config.Int("SEED").pipe(Config.withDefault(Date.now() % 1_000_000))
})

/**
 * Starts an emulator as the service. `start` starts a gateway in front of it. The gateways share a journal and a
 * store.
 */
const world = Effect.gen(function* () {
  const emulator = yield* Layer.build(Emulator.layerServer({ port: 0, latency: "100 millis", pace: "100 millis" }))
  const behind = yield* Effect.provide(Emulator.baseUrl, emulator)
  const place = yield* folder
  const args = ["--journal", join(place, "journal.db"), "--store", join(place, "images")]
  const limits = ["--images", "100000", "--window", "1h", "--sizes", wanted.size]
  return {
    behind,
    account: Effect.provide(
      Effect.flatMap(Ledger.Ledger, ({ account }) => account),
      emulator
    ),
    start: (more: ReadonlyArray<string> = []) => gateway(behind, [...args, ...limits, ...more], callers)
  }
})

/** Returns the image that the service generates for this prompt without a gateway, in base64. */
const drawn = (behind: string, prompt: string) =>
  Effect.promise(async () => {
    const response = await fetch(`${behind}/images/generations`, {
      method: "POST",
      headers: { "content-type": "application/json", authorization: "Bearer any" },
      body: JSON.stringify({ ...wanted, prompt, model: "openai-gpt-image-2", n: 1 })
    })
    return pictureIn(await response.text())
  })

/** Checks that each image is the same as the service's, byte for byte, and that each was generated once. */
const check = Effect.fnUntraced(function* (
  { account, behind }: Effect.Success<typeof world>,
  received: ReadonlyArray<Received>
) {
  const { entries } = yield* account
  assert.deepStrictEqual(
    entries.map(({ prompt }) => prompt).toSorted(),
    received.map(({ prompt }) => prompt).toSorted()
  )
  yield* Effect.forEach(
    received,
    ({ picture, prompt }) =>
      Effect.map(drawn(behind, prompt), (expected) => assert.isTrue(picture === expected, `the picture of ${prompt}`)),
    { concurrency: 50 }
  )
})

const receiveAll = (count: number, options: Callers, startWithinMillis: number) =>
  Effect.forEach(
    Array.from({ length: count }, (_, index) => `otter ${index}`),
    (prompt) =>
      Effect.delay(
        Effect.promise(() => receive(prompt, options)),
        options.random() * startWithinMillis
      ),
    { concurrency: "unbounded" }
  )

describe("two gateways with one journal and one store", () => {
  it.live(
    "callers whose connections are cut at any moment get every picture whole, from either, and each is paid for once",
    () =>
      Effect.gen(function* () {
        const { count, seed } = yield* settings
        const here = yield* world
        const gateways = [yield* here.start(), yield* here.start()]
        const urls = () => gateways.map(({ url }) => url)
        const options = { urls, random: randomOf(seed), cuts: 2, cutWithinMillis: 500 }
        const received = yield* receiveAll(count, options, 1000).pipe(
          Effect.tapCause(() => Effect.sync(() => process.stderr.write(`SEED=${seed}\n`)))
        )
        const cuts = received.reduce((sum, each) => sum + each.cuts, 0)
        process.stdout.write(`${count} callers, ${cuts} connections cut, SEED=${seed}\n`)
        assert.isAbove(cuts, count / 2)
        yield* check(here, received)
      }).pipe(Effect.scoped),
    120_000
  )

  it.live(
    "restarting each in turn under load loses no request",
    () =>
      Effect.gen(function* () {
        const { count, seed } = yield* settings
        const here = yield* world
        const open: Array<string> = []
        const startOne = Effect.gen(function* () {
          const scope = yield* Scope.make()
          const started = yield* Scope.provide(here.start(), scope)
          yield* Effect.addFinalizer((exit) => Scope.close(scope, exit))
          open.push(started.url)
          return started
        })
        const gateways = [yield* startOne, yield* startOne]
        const options = { urls: () => open, random: randomOf(seed), cuts: 0, cutWithinMillis: 0 }
        const load = yield* Effect.forkChild(receiveAll(count, options, 6000))
        for (const { child, url } of gateways) {
          yield* Effect.sleep("500 millis")
          // As in a rolling restart, the next gateway starts before the old one is stopped. Callers can still choose
          // the old one's address for 100 ms.
          yield* startOne
          const ended = yield* Effect.forkChild(child.kill({ killSignal: "SIGTERM", forceKillAfter: "1 minute" }))
          yield* Effect.sleep("100 millis")
          open.splice(open.indexOf(url), 1)
          assert.strictEqual(Number(yield* child.exitCode), 0)
          yield* Fiber.await(ended)
        }
        const received = yield* Fiber.join(load)
        process.stdout.write(
          `${count} callers, ${received.reduce((sum, { broken }) => sum + broken, 0)} connections refused or closed, SEED=${seed}\n`
        )
        yield* check(here, received)
      }).pipe(Effect.scoped),
    120_000
  )
})
