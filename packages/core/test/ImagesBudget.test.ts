import { describe, expect, it } from "@effect/vitest"
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as Fiber from "effect/Fiber"
import * as Layer from "effect/Layer"
import * as Stream from "effect/Stream"
import * as TestClock from "effect/testing/TestClock"
import * as BudgetLedger from "../src/BudgetLedger.ts"
import { GradientError, Images, RetryPolicy } from "../src/index.ts"
import * as ImagesBudget from "../src/ImagesBudget.ts"
import * as Service from "./support/Service.ts"
import * as Wire from "./support/Wire.ts"

const prompt = "a sea otter"
const model = "openai-gpt-image-2"
const good = (images = 1, more: object = {}) =>
  Response.json(
    Wire.response(
      Array.from({ length: images }, () => Wire.png()),
      more
    )
  )
const refused = () => Response.json({ error: { message: "no" } }, { status: 400 })
const broken = () => Response.json({ error: { message: "no" } }, { status: 500 })

const budgeted = (
  options: ImagesBudget.Options,
  answer: (number: number) => Service.Answer = () => good(),
  retry = RetryPolicy.none
) => {
  const service = Service.make(answer, { retry })
  const layer = ImagesBudget.layer(options).pipe(Layer.provide([service.layer, BudgetLedger.layerMemory]))
  return { service, layer }
}

const call = (n = 1) => Images.generate({ prompt, model, n })

/** The reason with which a call for `n` images fails, because it would exceed the budget. */
const exceeding = (n = 1) => Service.failsWith("BudgetExceededError")(call(n))

/**
 * How many images are left in the budget. It is read from the error of a call for 10 images, which is more than is
 * left.
 */
const left = Effect.map(exceeding(10), (reason) => reason.left)

describe("ImagesBudget", () => {
  it.effect("fails before the request that would exceed it, and sends nothing", () =>
    Effect.gen(function* () {
      const { layer, service } = budgeted({ images: 3 }, () => good(2), RetryPolicy.eager)
      yield* Effect.gen(function* () {
        yield* call(2)
        const error = yield* Effect.flip(call(2))
        expect(error.attempts.length).toBe(1)
        expect(error.reason).toMatchObject({ of: "images", limit: 3, left: 1, requested: 2, reached: "NotSent" })
        expect([error.isRetryable, error.mayHaveBeenCharged]).toEqual([false, false])
        expect(error.message).toBe(
          "The request could exceed the budget: it may use 2 images, and only 1 of 3 is left. Nothing was sent. Raise the " +
            "budget of `ImagesBudget.layer`, or ask for fewer images."
        )
      }).pipe(Effect.provide(layer))
      expect(service.asked.length).toBe(1)
    })
  )

  it.effect("reserves before the request is sent: calls at once do not exceed it together", () =>
    Effect.gen(function* () {
      const { layer, service } = budgeted({ images: 3 }, () => Effect.delay(Effect.sync(good), 5000))
      const calls = Effect.forEach(Array.from({ length: 8 }), () => Effect.exit(call()), { concurrency: "unbounded" })
      const fiber = yield* calls.pipe(Effect.provide(layer), Effect.forkChild)
      yield* Service.advance("5 seconds")
      const exits = yield* Service.join(fiber)
      expect(exits.filter(({ _tag }) => _tag === "Success").length).toBe(3)
      expect(service.asked.length).toBe(3)
    })
  )

  it.effect("starts again at 0 when its window has ended, and only then", () =>
    Effect.gen(function* () {
      const { layer } = budgeted({ images: 1, window: "1 day" })
      yield* Effect.gen(function* () {
        yield* call()
        yield* TestClock.adjust("23 hours")
        const reason = yield* exceeding()
        expect(reason.window).toEqual(Duration.days(1))
        yield* TestClock.adjust("1 hour")
        yield* call()
        yield* exceeding()
      }).pipe(Effect.provide(layer))
    })
  )

  it.effect("counts an attempt in the window in which it was sent", () =>
    Effect.gen(function* () {
      const answers = [() => Effect.delay(Effect.sync(refused), "90 seconds"), good]
      const { layer } = budgeted({ images: 2, window: "1 minute" }, (number) => answers[number]?.() ?? good())
      yield* Effect.gen(function* () {
        const fiber = yield* Effect.forkChild(Effect.exit(call(2)))
        yield* Service.advance("70 seconds")
        yield* call()
        yield* Service.advance("30 seconds")
        yield* Service.join(fiber)
        expect(yield* left).toBe(1)
      }).pipe(Effect.provide(layer))
    })
  )

  const uncharged = [
    ["a refusal", refused],
    ["a busy service", () => new Response("{}", { status: 503, headers: { "retry-after": "1" } })]
  ] as const

  it.effect.each(uncharged)("gives the worst case back after %s, which is not charged for", ([, answer]) =>
    Effect.gen(function* () {
      const { layer } = budgeted({ images: 2 }, answer)
      yield* Effect.gen(function* () {
        for (let number = 0; number < 3; number++) yield* Effect.flip(call(2))
        expect(yield* left).toBe(2)
      }).pipe(Effect.provide(layer))
    })
  )

  it.effect("keeps the worst case of a failure that may have been charged for; a retry is another request", () =>
    Effect.gen(function* () {
      const { layer, service } = budgeted({ images: 3 }, broken, RetryPolicy.eager)
      yield* Effect.gen(function* () {
        const fiber = yield* Effect.forkChild(Effect.flip(call(2)))
        yield* Service.advance("1 minute")
        const error = yield* Service.join(fiber)
        expect(error.reason._tag).toBe("BudgetExceededError")
        expect(error.mayHaveBeenCharged).toBe(true)
        expect(yield* left).toBe(1)
      }).pipe(Effect.provide(layer))
      expect(service.asked.length).toBe(1)
    })
  )

  it.effect("keeps the worst case if the caller leaves a request or a stream", () =>
    Effect.gen(function* () {
      const events = [Wire.partial(0), Wire.completed()].map(Wire.event)
      const { layer } = budgeted({ images: 4 }, (number) => (number === 0 ? Effect.never : Wire.stream(events)))
      yield* Effect.gen(function* () {
        const fiber = yield* Effect.forkChild(call(2))
        yield* Service.settle
        yield* Fiber.interrupt(fiber)
        expect(yield* left).toBe(2)
        yield* Stream.runDrain(Stream.take(Images.generateStream({ prompt }), 1))
        expect(yield* left).toBe(1)
      }).pipe(Effect.provide(layer))
    })
  )

  it.effect("counts the images that arrived, of `generate` and of a stream", () =>
    Effect.gen(function* () {
      const events = [Wire.partial(0), Wire.completed()].map(Wire.event)
      const { layer } = budgeted({ images: 9 }, (number) => (number === 0 ? good(2) : Wire.stream(events)))
      yield* Effect.gen(function* () {
        yield* call(4)
        expect(yield* left).toBe(7)
        yield* Stream.runDrain(Images.generateStream({ prompt }))
        expect(yield* left).toBe(6)
      }).pipe(Effect.provide(layer))
    })
  )

  it.effect("counts output tokens as `usage` gives them, else with their worst case", () =>
    Effect.gen(function* () {
      const options = { outputTokens: { limit: 20_000, perImage: 7000 } }
      const { layer } = budgeted(options, (number) => good(1, number === 0 ? { usage: Wire.usage } : {}))
      yield* Effect.gen(function* () {
        yield* call()
        expect(yield* exceeding(3)).toMatchObject({ of: "outputTokens", left: 19_000, requested: 21_000 })
        yield* call()
        expect(yield* left).toBe(12_000)
      }).pipe(Effect.provide(layer))
    })
  )

  it.effect.each([
    { what: "a negative number counts as none", outputTokens: -1000, rest: 13_000 },
    { what: "a part of a token counts as one", outputTokens: 999.5, rest: 19_000 },
    { what: "a huge number uses the budget up", outputTokens: 1e300, rest: 0 }
  ])("counts output tokens in whole numbers: $what", ({ outputTokens, rest }) =>
    Effect.gen(function* () {
      const options = { outputTokens: { limit: 20_000, perImage: 7000 } }
      const usage = { ...Wire.usage, output_tokens: outputTokens }
      const { layer } = budgeted(options, () => good(1, { usage }))
      yield* Effect.gen(function* () {
        yield* call()
        expect(yield* exceeding(3)).toMatchObject({ of: "outputTokens", left: rest })
      }).pipe(Effect.provide(layer))
    })
  )

  const spends = [
    ["the price of an image", { perImage: 0.1 }, 0.2],
    ["a price by the request", { perImage: ({ params }) => (params.quality === "high" ? 0.2 : 0.05) }, 0.25],
    ["prices of tokens", { perImage: 0.25, perOutputToken: 0.00003, perInputToken: 0.000005 }, 0.26995]
  ] satisfies ReadonlyArray<readonly [string, ImagesBudget.Price, number]>

  it.effect.each(spends)("counts money by %s", ([, price, rest]) =>
    Effect.gen(function* () {
      const { layer } = budgeted({ money: { limit: 0.3, prices: { [model]: price } } }, () =>
        good(1, { usage: Wire.usage })
      )
      yield* Effect.gen(function* () {
        yield* call()
        expect(yield* exceeding(10)).toMatchObject({ of: "money", limit: 0.3, left: rest })
      }).pipe(Effect.provide(layer))
    })
  )

  it.effect("is used to its end: three times 0.1 is 0.3", () =>
    Effect.gen(function* () {
      const { layer } = budgeted({ money: { limit: 0.3, prices: { [model]: { perImage: 0.1 } } } })
      yield* Effect.provide(Effect.andThen(Effect.andThen(call(), call()), Effect.andThen(call(), left)), layer).pipe(
        Effect.map((rest) => expect(rest).toBe(0))
      )
    })
  )

  const unpriced = [
    [{ other: { perImage: 1 } }, "money.prices.openai-gpt-image-2 must be set"],
    [{ [model]: { perImage: () => NaN } }, "money.prices.openai-gpt-image-2.perImage must be a number of at least 0"]
  ] as const

  it.effect.each(unpriced)("sends nothing if a request has no usable price: %o", ([prices, message]) =>
    Effect.gen(function* () {
      const { layer, service } = budgeted({ money: { limit: 1, prices } })
      const reason = yield* Effect.provide(Service.failsWith("InvalidParamsError")(call()), layer)
      expect(reason.message).toContain(message)
      expect(service.asked.length).toBe(0)
    })
  )

  it.effect("shares a count between layers with the same key, and no others", () =>
    Effect.gen(function* () {
      const service = Service.make(() => good())
      const through = (key: string) => ImagesBudget.layer({ images: 1, key }).pipe(Layer.provide(service.layer))
      yield* Effect.gen(function* () {
        yield* Effect.provide(call(), through("a"))
        yield* Effect.provide(exceeding(), through("a"))
        yield* Effect.provide(call(), through("b"))
      }).pipe(Effect.provide(BudgetLedger.layerMemory))
    })
  )

  const unreachable = (at: "reserve" | "settle") => {
    const failing = Effect.fail(new GradientError.ConnectionError({ description: "the ledger cannot be reached" }))
    return Layer.effect(
      BudgetLedger.BudgetLedger,
      Effect.map(BudgetLedger.BudgetLedger, (ledger) => ({ ...ledger, [at]: () => failing }))
    ).pipe(Layer.provide(BudgetLedger.layerMemory))
  }

  it.effect("sends nothing if the ledger fails before, and returns the images if it fails after", () =>
    Effect.gen(function* () {
      const service = Service.make(() => good(), { retry: RetryPolicy.none })
      const through = (at: "reserve" | "settle") =>
        ImagesBudget.layer({ images: 1 }).pipe(Layer.provide([service.layer, unreachable(at)]))
      const reason = yield* Effect.provide(Service.reasonOf(call()), through("reserve"))
      expect([reason._tag, service.asked.length]).toEqual(["ConnectionError", 0])
      expect((yield* Effect.provide(call(), through("settle"))).data.length).toBe(1)
    })
  )

  /** Options whose types are not checked, as in plain JavaScript. */
  const untyped = (options: object): ImagesBudget.Options => ({ ...options })
  const price = (perImage: unknown) => untyped({ money: { limit: 1, prices: { m: { perImage } } } })
  const wrong: ReadonlyArray<readonly [ImagesBudget.Options, string]> = [
    [{}, "images, outputTokens or money must be set (got none of them)"],
    [{ images: -1 }, "images must be an integer of at least 0 (got -1)"],
    [{ outputTokens: { limit: 1.5, perImage: -1 } }, "outputTokens.limit must be an integer of at least 0 (got 1.5); "],
    [{ outputTokens: { limit: 1, perImage: -1 } }, "outputTokens.perImage must be an integer of at least 0 (got -1)"],
    [{ money: { limit: -2, prices: {} } }, "money.limit must be a number of at least 0 (got -2)"],
    [price("0.2"), 'money.prices.m.perImage must be a number of at least 0 (got "0.2")'],
    [price(Number.POSITIVE_INFINITY), "money.prices.m.perImage must be a number of at least 0 (got Infinity)"],

    [untyped({ money: null }), "money.limit must be a number of at least 0 (got nothing)"],
    [untyped({ outputTokens: null }), "outputTokens.limit must be an integer of at least 0 (got nothing)"],
    [{ images: 1, window: 0 }, "window must be a duration above 0"]
  ]

  it.effect.each(wrong)("refuses options that cannot be used when it is built: %o", ([options, message]) =>
    Effect.gen(function* () {
      const error = yield* Effect.flip(Effect.scoped(Layer.build(budgeted(options).layer)))
      expect(error.reason._tag).toBe("InvalidParamsError")
      expect(error.message).toContain(message)
    })
  )
})
