import { describe, expect, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import * as Stream from "effect/Stream"
import * as ImagesEach from "../src/ImagesEach.ts"
import { RetryPolicy } from "../src/index.ts"
import * as Service from "./support/Service.ts"
import * as Wire from "./support/Wire.ts"

const params = { prompt: "a sea otter" }
const answers = [
  () => Response.json(Wire.response()),
  () => Response.json({}, { status: 500 }),
  () => Response.json({ error: { message: "no", code: "moderation_blocked" } }, { status: 400 }),
  () => Response.json(Wire.response())
]
const service = () => Service.make((number) => answers[number]?.() ?? Response.error(), { retry: RetryPolicy.none })

describe("ImagesEach.generate", () => {
  it.effect("gives each result, whatever becomes of the others, and counts them at the end", () =>
    Effect.gen(function* () {
      const each = ImagesEach.generate(params, { count: 4, concurrency: 2 })
      const results = yield* Effect.provide(Stream.runCollect(each), service().layer)
      expect(results.slice(0, -1).map((result) => "index" in result && result.index)).toHaveLength(4)
      expect(results.filter(({ _tag }) => _tag === "Done")).toHaveLength(2)
      expect(results.filter(({ _tag }) => _tag === "Failed")).toHaveLength(2)
      const tally = { done: 2, refused: 1, perhapsCharged: 1, images: 2 }
      expect(results.at(-1)).toEqual(ImagesEach.Each.Ended(tally))
    })
  )

  it.effect("counts each run of the stream from the beginning", () =>
    Effect.gen(function* () {
      const { layer } = Service.make(() => Response.json(Wire.response()))
      const last = Stream.runLast(ImagesEach.generate(params, { count: 1 }))
      const [first, second] = yield* Effect.provide(Effect.all([last, last]), layer)
      expect(second).toEqual(first)
    })
  )

  const wrong = [
    [{ count: 0 }, "count must be an integer of at least 1 (got 0)"],
    [{ count: Number.NaN, concurrency: 0.5 }, "concurrency must be an integer of at least 1 (got 0.5)"]
  ] as const

  it.effect.each(wrong)("refuses options that cannot be used, and sends nothing: %o", ([options, message]) =>
    Effect.gen(function* () {
      const { asked, layer } = service()
      const error = yield* Effect.flip(Effect.provide(Stream.runDrain(ImagesEach.generate(params, options)), layer))
      expect(error.reason._tag).toBe("InvalidParamsError")
      expect(error.message).toContain(message)
      expect(asked).toEqual([])
    })
  )
})
