import type * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import { describe, expect, test } from "tstyche"
import { GradientError, Images, type ImageGenerateResponse } from "../../src/index.ts"

const call = Images.generate({ prompt: "A sea otter" })

describe("GradientError", () => {
  test("is the only error, so that nothing is left after its tag is caught", () => {
    const caught = Effect.catchTag(call, "GradientError", (error) => {
      expect(error).type.toBe<GradientError.GradientError>()
      return Effect.succeed("failed")
    })
    expect(caught).type.toBe<
      Effect.Effect<ImageGenerateResponse.ImageGenerateResponse | string, never, Images.Images>
    >()
  })

  test("is narrowed by catchReason to the reason, with its own fields", () => {
    const caught = Effect.catchReason(call, "GradientError", "RequestTimeoutError", (reason, error) => {
      expect(reason).type.toBe<GradientError.RequestTimeoutError>()
      expect(reason.phase).type.toBe<"connect" | "response" | "idle" | "deadline">()
      expect(error.reason).type.toBe<GradientError.RequestTimeoutError>()
      return Effect.succeed("too slow")
    })
    expect<Effect.Error<typeof caught>>().type.toBe<GradientError.GradientError>()
  })

  test("has in each handler of catchReasons that reason", () => {
    Effect.catchReasons(call, "GradientError", {
      RateLimitError: (reason) => {
        expect(reason).type.toBe<GradientError.RateLimitError>()
        return Effect.void
      },
      InDoubtError: (reason) => {
        expect(reason.attempt).type.toBe<number>()
        return Effect.void
      }
    })
  })

  test("has no tags and no reasons beside its own", () => {
    // @ts-expect-error is not assignable
    Effect.catchTag(call, "HttpClientError", () => Effect.void)
    // @ts-expect-error is not assignable
    Effect.catchReason(call, "GradientError", "TooManyRequestsError", () => Effect.void)
  })

  test("has reasons that a switch narrows, and handles completely", () => {
    const handle = (reason: GradientError.InvalidParamsError | GradientError.RequestTimeoutError): string => {
      switch (reason._tag) {
        case "InvalidParamsError":
          return `${reason.issues.length} issues`
        case "RequestTimeoutError":
          return reason.phase
      }
    }
    expect(handle).type.not.toBeCallableWith(new GradientError.ConnectionError({}))
    expect(handle).type.toBeCallableWith(new GradientError.RequestTimeoutError({ phase: "idle" }))
  })

  test("has on every reason what decides about a retry and a payment", () => {
    expect<GradientError.GradientErrorReason["mayHaveBeenCharged"]>().type.toBe<boolean>()
    expect<GradientError.GradientErrorReason["isRetryable"]>().type.toBe<boolean>()
    expect<GradientError.GradientErrorReason["reached"]>().type.toBe<"NotSent" | "Sent" | "ErrorStatus" | "Accepted">()
    expect<GradientError.GradientErrorReason["retryAfter"]>().type.toBe<Duration.Duration | undefined>()
  })

  test("has fields of one reason only on that reason", () => {
    expect<GradientError.GradientErrorReason>().type.not.toHaveProperty("phase")
    expect<GradientError.RequestTimeoutError>().type.toHaveProperty("phase")
    expect<GradientError.InvalidParamsError>().type.toHaveProperty("issues")
  })

  test("is recognised among unknown values, as without Effect", () => {
    const seen = (error: unknown) => (GradientError.isGradientError(error) ? error : undefined)
    expect<ReturnType<typeof seen>>().type.toBe<GradientError.GradientError | undefined>()
  })
})
