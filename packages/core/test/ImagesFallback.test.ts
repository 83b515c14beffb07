import { describe, expect, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import * as ExecutionPlan from "effect/ExecutionPlan"
import * as Layer from "effect/Layer"
import * as Stream from "effect/Stream"
import { Attempt, Images, RetryPolicy } from "../src/index.ts"
import * as ImagesFallback from "../src/ImagesFallback.ts"
import * as Service from "./support/Service.ts"
import * as Wire from "./support/Wire.ts"

const prompt = "a sea otter"
const call = Images.generate({ prompt })
const status = (code: number, headers = {}) => new Response("{}", { status: code, headers })
const make = (answer: (number: number) => Service.Answer) => Service.make(answer, { retry: RetryPolicy.none })
const good = () => make(() => Response.json(Wire.response()))
const modelsOf = ({ asked }: ReturnType<typeof make>) => asked.map(({ body }) => body)

describe("ImagesFallback", () => {
  it.effect.each([401, 402, 403, 404, 429])("moves on after %d, which is not charged for", (code) =>
    Effect.gen(function* () {
      const [first, second] = [make(() => status(code)), good()]
      yield* Effect.provide(call, ImagesFallback.layer([{ layer: first.layer }, { layer: second.layer }]))
      expect([first.asked.length, second.asked.length]).toEqual([1, 1])
    })
  )

  it.effect("moves on after a 503 with retry-after", () =>
    Effect.gen(function* () {
      const [first, second] = [make(() => status(503, { "retry-after": "1" })), good()]
      yield* Effect.provide(call, ImagesFallback.layer([{ layer: first.layer }, { layer: second.layer }]))
      expect(second.asked.length).toBe(1)
    })
  )

  it.effect.each([400, 409, 422, 500, 503])("ends the call after %d", (code) =>
    Effect.gen(function* () {
      const [first, second] = [make(() => status(code)), good()]
      const layer = ImagesFallback.layer([{ layer: first.layer }, { layer: second.layer }])
      const error = yield* Effect.flip(Effect.provide(call, layer))
      expect([error.reason.status, second.asked.length]).toEqual([code, 0])
    })
  )

  it.effect("ends the call after a 500 that transformClient repeated, even if the last status is 401", () =>
    Effect.gen(function* () {
      const first = Service.make((number) => status(number === 0 ? 500 : 401), {
        retry: RetryPolicy.none,
        transformClient: (client) => ({
          execute: (request) => Effect.andThen(client.execute(request), client.execute(request))
        })
      })
      const second = good()
      const layer = ImagesFallback.layer([{ layer: first.layer }, { layer: second.layer }])
      const error = yield* Effect.flip(Effect.provide(call, layer))
      expect([error.reason.status, error.mayHaveBeenCharged, second.asked.length]).toEqual([401, true, 0])
    })
  )

  it.effect("requests the entry's model, and outer layers see every attempt", () =>
    Effect.gen(function* () {
      const service = make((number) => (number === 0 ? status(404) : Response.json(Wire.response())))
      const seen: Array<string> = []
      const watched = Attempt.layer({ begin: ({ params }) => Effect.sync(() => void seen.push(params.model)) })
      const fallback = ImagesFallback.layer([
        { layer: service.layer, model: "a" },
        { layer: service.layer, model: "b" }
      ])
      yield* Effect.provide(call, Layer.provide(watched, fallback))
      expect(seen).toEqual(["a", "b"])
      expect(modelsOf(service)).toMatchObject([{ model: "a" }, { model: "b" }])
    })
  )

  it.effect("fails with the attempts of all entries, and the message has each failure", () =>
    Effect.gen(function* () {
      const [first, second] = [make(() => status(401)), make(() => status(429))]
      const layer = ImagesFallback.layer([{ layer: first.layer }, { layer: second.layer, model: "b" }])
      const error = yield* Effect.flip(Effect.provide(call, layer))
      expect(error.attempts.map(({ reason }) => reason._tag)).toEqual(["AuthenticationError", "RateLimitError"])
      expect(error.message).toContain("Entry 1: The key is missing or was refused (401)")
      expect(error.message).toContain("Entry 2 (b): Too many requests (429)")
    })
  )

  it.effect("moves on before a stream's first event, and not after it", () =>
    Effect.gen(function* () {
      const whole = [Wire.partial(0, Wire.png()), Wire.completed()].map(Wire.event)
      const run = (answer: () => Response) => {
        const [first, second] = [make(answer), make(() => Wire.stream(whole))]
        const layer = ImagesFallback.layer([{ layer: first.layer }, { layer: second.layer }])
        return Stream.runCollect(Images.generateStream({ prompt })).pipe(
          Effect.provide(layer),
          Effect.result,
          Effect.map(({ _tag }) => [_tag, second.asked.length])
        )
      }
      expect(yield* run(() => status(429))).toEqual(["Success", 1])
      expect(yield* run(() => Wire.stream(whole.slice(0, 1)))).toEqual(["Failure", 0])
    })
  )

  it.effect("builds a layer that several entries share once", () =>
    Effect.gen(function* () {
      let built = 0
      const counted = Layer.effectDiscard(Effect.sync(() => void built++))
      const service = make(() => status(429))
      const shared = Layer.merge(service.layer, counted)
      const fallback = ImagesFallback.layer([{ layer: shared }, { layer: shared, model: "b" }])
      yield* Effect.flip(Effect.provide(call, fallback))
      expect([built, service.asked.length]).toEqual([1, 2])
    })
  )

  it.effect("refuses an empty list when it is built", () =>
    Effect.gen(function* () {
      const error = yield* Effect.flip(Effect.scoped(Layer.build(ImagesFallback.layer([]))))
      expect(error.message).toContain("entries must be at least one endpoint or model (got none)")
    })
  )

  it.effect("differs from ExecutionPlan, which pays again after a 500", () =>
    Effect.gen(function* () {
      const [first, second] = [make(() => status(500)), good()]
      const plan = ExecutionPlan.make({ provide: first.layer }, { provide: second.layer })
      yield* Effect.withExecutionPlan(call, plan)
      expect([first.asked.length, second.asked.length]).toEqual([1, 1])
    })
  )
})
