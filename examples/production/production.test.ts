import { assert, describe, it } from "@effect/vitest"
import { NodeServices } from "@effect/platform-node"
import { type GradientError, Images } from "@effect-gradient/core"
import { Emulator, Ledger } from "@effect-gradient/emulator"
import { Context, Effect, Exit, Layer, Redacted, Stream, Tracer } from "effect"
import { ChildProcess } from "effect/process"
import { mkdtemp, rm } from "node:fs/promises"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { execPath } from "node:process"
import { fileURLToPath, URL } from "node:url"
import { type Endpoint, production } from "./images.ts"

const folder = Effect.acquireRelease(
  Effect.promise(() => mkdtemp(join(tmpdir(), "production-"))),
  (path) => Effect.promise(() => rm(path, { recursive: true }))
)

/**
 * Starts an emulator. Returns it as an endpoint, with an effect that reads how many requests it received and which
 * generations it charged for.
 */
const endpointWith = Effect.fnUntraced(function* (name: string, model: string, faults: ReadonlyArray<string> = []) {
  const server = yield* Layer.build(Layer.fresh(Emulator.layerServer({ port: 0, images: "plain", faults })))
  const baseUrl = yield* Effect.provide(Emulator.baseUrl, server)
  const endpoint: Endpoint = { name, client: { baseUrl, modelAccessKey: Redacted.make("any") }, model }
  return { endpoint, account: Context.get(server, Ledger.Ledger).account }
})

/** Runs an effect with layers that are built anew, as a new process with the same folder would run it. */
const inProcess = (path: string, endpoints: ReadonlyArray<Endpoint>) => {
  const layer = Layer.fresh(production({ folder: path, endpoints, dollarsADay: 2.5 }))
  return <A, E>(effect: Effect.Effect<A, E, Images.Images>) => Effect.provide(effect, layer)
}

/** Each order has a size of its own, because the emulator's plain images do not depend on the prompt. */
const params = (number: number) => ({ prompt: `A lighthouse, number ${number}`, size: `64x${64 + number}` })
const keyOf = (number: number) => ({ idempotencyKey: `order ${number}` })
const order = (number: number) => Effect.exit(Images.generate(params(number), keyOf(number)))
const orders = (numbers: ReadonlyArray<number>, concurrency = 4) => Effect.forEach(numbers, order, { concurrency })

type Ended = Effect.Success<ReturnType<typeof order>>

/** The bytes of the order's image. `undefined` if the order failed. */
const bytesOf = (exit: Ended) => (Exit.isSuccess(exit) ? [...exit.value.data[0].bytes] : undefined)

const reasonOf = (exit: Exit.Exit<unknown, GradientError.GradientError>) => {
  const error = Exit.findErrorOption(exit)
  return error._tag === "Some" ? error.value.reason._tag : "none"
}

const recording = () => {
  const spans: Array<Tracer.NativeSpan> = []
  const tracer = Tracer.make({
    span(of) {
      const span = new Tracer.NativeSpan(of)
      spans.push(span)
      return span
    }
  })
  return { spans, tracer }
}

const early = [1, 2, 3, 4, 5, 6, 7, 8]
const late = [9, 10, 11, 12]

describe("images.ts", () => {
  it.live("pays once for each key, within the budget, and gives the same images for free after a restart", () =>
    Effect.gen(function* () {
      const faults = ["status=429;retry-after=0 x6", "status=500 x1", "reset-body@100 x1"]
      const first = yield* endpointWith("first", "openai-gpt-image-2", faults)
      const second = yield* endpointWith("second", "openai-gpt-image-1.5")
      const run = inProcess(yield* folder, [first.endpoint, second.endpoint])
      const accounts = Effect.all([first.account, second.account])
      const { spans, tracer } = recording()

      // The early orders run four at a time, and get all the faults. The budget is enough for 10 images, so 2 of the 4
      // late orders are refused.
      const before = yield* Effect.all([orders(early), orders(late, 1)]).pipe(run, Effect.withTracer(tracer))
      const reasons = before.flat().map(reasonOf)
      assert.deepStrictEqual(reasons.slice(8), ["none", "none", "BudgetExceededError", "BudgetExceededError"])
      assert.sameMembers(
        reasons.slice(0, 8).filter((reason) => reason !== "none"),
        ["InternalServerError", "DisconnectedError"]
      )

      const paid = yield* accounts
      const prompts = paid.flatMap(({ entries }) => entries.map(({ prompt }) => prompt))
      assert.sameMembers(
        prompts,
        [...early, 9, 10].map((number) => params(number).prompt)
      )

      const after = yield* run(orders([...early, ...late]))
      assert.deepStrictEqual(after.map(bytesOf), before.flat().map(bytesOf))
      assert.deepStrictEqual(
        after.map(reasonOf),
        reasons.map((reason) => (["none", "BudgetExceededError"].includes(reason) ? reason : "InDoubtError"))
      )
      assert.deepStrictEqual(yield* accounts, paid)

      const attempts = spans.filter(({ name }) => name === "Images.attempt")
      const charged = attempts.map(({ attributes }) => attributes.get("gradient.image.charged"))
      assert.lengthOf(
        charged.filter((each) => each === "yes"),
        8
      )
      assert.lengthOf(
        charged.filter((each) => each === "in_doubt"),
        2
      )
      assert.lengthOf(
        attempts.filter(({ attributes }) => attributes.get("error.type") === "RateLimitError"),
        6
      )
      assert.lengthOf(
        attempts.filter(({ attributes }) => attributes.get("error.type") === "BudgetExceededError"),
        2
      )
    }).pipe(Effect.scoped)
  )

  it.live("asks the second endpoint while the circuit of the first is open, and returns what is stored", () =>
    Effect.gen(function* () {
      const path = yield* folder
      const good = yield* endpointWith("first", "openai-gpt-image-2")
      const stored = yield* inProcess(path, [good.endpoint])(order(0))

      const down = yield* endpointWith("first", "openai-gpt-image-2", ["status=500"])
      const second = yield* endpointWith("second", "openai-gpt-image-1.5")
      yield* Effect.gen(function* () {
        const failed = yield* orders([1, 2, 3, 4, 5], 1)
        assert.deepStrictEqual(new Set(failed.map(reasonOf)), new Set(["InternalServerError"]))
        assert.isTrue(Exit.isSuccess(yield* order(6)))
        const events = yield* Stream.runCollect(Images.generateStream({ ...params(7), partialImages: 1 }, keyOf(7)))
        assert.deepStrictEqual(
          events.map(({ _tag }) => _tag),
          ["PartialImage", "Completed"]
        )
        assert.deepStrictEqual(bytesOf(yield* order(0)), bytesOf(stored))
      }).pipe(inProcess(path, [down.endpoint, second.endpoint]))
      assert.strictEqual((yield* down.account).requests, 5)
      assert.strictEqual((yield* second.account).requests, 2)
    }).pipe(Effect.scoped)
  )

  it.live("asks the second endpoint while the first one wants no request", () =>
    Effect.gen(function* () {
      const busy = yield* endpointWith("first", "openai-gpt-image-2", ["status=429;retry-after=90"])
      const second = yield* endpointWith("second", "openai-gpt-image-1.5")
      const run = inProcess(yield* folder, [busy.endpoint, second.endpoint])
      const ended = yield* run(orders([1, 2, 3], 1))
      assert.deepStrictEqual(ended.map(reasonOf), ["none", "none", "none"])
      assert.strictEqual((yield* busy.account).requests, 1)
      assert.strictEqual((yield* second.account).entries.length, 3)
    }).pipe(Effect.scoped)
  )
})

describe("start.ts", () => {
  it.live("pays for each order once, and for nothing when it is started again", () =>
    Effect.gen(function* () {
      const path = yield* folder
      const program = fileURLToPath(new URL("start.ts", import.meta.url))
      const start = ChildProcess.make(execPath, [program, join(path, "new")])
      const linesOf = Effect.gen(function* () {
        const running = yield* start
        return yield* running.stdout.pipe(Stream.decodeText, Stream.splitLines, Stream.runCollect)
      })
      const first = yield* linesOf
      const second = yield* linesOf
      assert.match(first.at(-1) ?? "", / 8 generations paid for$/)
      assert.strictEqual(second.at(-1), "0 requests, 0 generations paid for")
      const drawn = (lines: ReadonlyArray<string>) => lines.filter((line) => line.endsWith(" bytes")).toSorted()
      assert.lengthOf(drawn(first), 6)
      assert.deepStrictEqual(drawn(second), drawn(first))
    }).pipe(Effect.scoped, Effect.provide(NodeServices.layer))
  )
})
