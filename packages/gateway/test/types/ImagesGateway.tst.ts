import type * as Layer from "effect/Layer"
import type { HttpRouter } from "effect/http"
import type { RateLimiter } from "effect/persistence"
import type OpenAI from "openai"
import { describe, expect, test } from "tstyche"
import type { Attempts } from "../../src/index.ts"
import { Callers, type ImagesApi, ImagesGateway } from "../../src/index.ts"

describe("ImagesGateway.layer", () => {
  test("requires callers, attempts and a rate limiter, which have no defaults", () => {
    expect(ImagesGateway.layer()).type.toBe<
      Layer.Layer<never, never, Callers.Callers | Attempts.Attempts | RateLimiter.RateLimiter | HttpRouter.HttpRouter>
    >()
  })

  test("does not accept options that it does not have", () => {
    expect(ImagesGateway.layer).type.toBeCallableWith({ rules: { n: 4 }, limits: { window: "1 hour" } })
    expect(ImagesGateway.layer).type.not.toBeCallableWith({ rules: { count: 4 } })
    expect(ImagesGateway.layer).type.not.toBeCallableWith({ limits: { window: "1 fortnight" } })
  })

  test("accepts keys of callers only as Redacted", () => {
    expect(Callers.layerKeys).type.not.toBeCallableWith(["a-long-random-string"])
  })
})

describe("the payload", () => {
  test("has every param that the openai SDK sends, except those of other models", () => {
    type Others = "response_format" | "style" | "svg" | "frame_count" | "frame_duration_ms"
    type Known = Omit<OpenAI.ImageGenerateParams, Others>
    expect<Exclude<keyof Known, keyof ImagesApi.EncodedPayload>>().type.toBe<never>()
    expect<ImagesApi.EncodedPayload>().type.toBeAssignableFrom<Omit<Known, "model">>()
  })
})
