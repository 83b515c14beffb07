import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import type * as HttpClient from "effect/http/HttpClient"
import * as Layer from "effect/Layer"
import * as Redacted from "effect/Redacted"
import * as Schedule from "effect/Schedule"
import type * as Scope from "effect/Scope"
import * as Stream from "effect/Stream"
import { describe, expect, test } from "tstyche"
import {
  GradientClient,
  type GradientError,
  type ImageGenerateResponse,
  ImageGenStreamEvent,
  Images,
  RetryPolicy
} from "../../src/index.ts"

const prompt = "A sea otter"

declare const transport: Layer.Layer<HttpClient.HttpClient>
const client = GradientClient.layer({ modelAccessKey: Redacted.make("key") })
const layer = Images.layer.pipe(Layer.provide(client), Layer.provide(transport))

describe("Images.generate", () => {
  test("returns a response, fails with GradientError and requires Images", () => {
    expect(Images.generate({ prompt })).type.toBe<
      Effect.Effect<ImageGenerateResponse.ImageGenerateResponse, GradientError.GradientError, Images.Images>
    >()
  })

  test("returns at least one image", () => {
    expect<ImageGenerateResponse.ImageGenerateResponse["data"][0]["bytes"]>().type.toBe<Uint8Array>()
    expect<[]>().type.not.toBeAssignableTo<ImageGenerateResponse.ImageGenerateResponse["data"]>()
  })

  test("runs only with a layer", () => {
    expect(Effect.runPromise).type.not.toBeCallableWith(Images.generate({ prompt }))
    expect(Effect.runPromise).type.toBeCallableWith(Effect.provide(Images.generate({ prompt }), layer))
  })

  test("accepts params that this version does not know, and none of another type or name", () => {
    expect(Images.generate).type.toBeCallableWith({ prompt, model: "a-new-model", size: "640x480", quality: "ultra" })
    expect(Images.generate).type.not.toBeCallableWith({})
    expect(Images.generate).type.not.toBeCallableWith({ prompt, n: "2" })
    expect(Images.generate).type.not.toBeCallableWith({ prompt, model: null })
    expect(Images.generate).type.not.toBeCallableWith({ prompt, output_format: "png" })
  })

  test("accepts partialImages only for a stream", () => {
    expect(Images.generate).type.not.toBeCallableWith({ prompt, partialImages: 2 })
    expect(Images.generateStream).type.toBeCallableWith({ prompt, partialImages: 2 })
  })
})

describe("Images.generateStream", () => {
  test("emits events, fails with GradientError and requires Images, but no Scope", () => {
    expect(Images.generateStream({ prompt })).type.toBe<
      Stream.Stream<ImageGenStreamEvent.ImageGenStreamEvent, GradientError.GradientError, Images.Images>
    >()
    expect<Scope.Scope>().type.not.toBeAssignableTo<Images.Images>()
  })

  test("runs only with a layer", () => {
    const drained = Stream.runDrain(Images.generateStream({ prompt }))
    expect(Effect.runPromise).type.not.toBeCallableWith(drained)
    expect(Effect.runPromise).type.toBeCallableWith(Effect.provide(drained, layer))
  })

  test("has events that their tag tells apart", () => {
    const see = (event: ImageGenStreamEvent.ImageGenStreamEvent) => {
      if (event._tag === "PartialImage") {
        expect(event).type.toBe<ImageGenStreamEvent.PartialImage>()
        expect(event).type.not.toHaveProperty("usage")
      } else {
        expect(event).type.toBe<ImageGenStreamEvent.Completed>()
        expect(event).type.not.toHaveProperty("partialImageIndex")
      }
    }
    expect(see).type.toBeCallableWith(new ImageGenStreamEvent.Completed({ bytes: new Uint8Array() }))
  })
})

describe("the options of a call", () => {
  test("accept a policy or a schedule, and durations in each form of Effect", () => {
    expect(Images.generate).type.toBeCallableWith({ prompt }, { retry: RetryPolicy.none, timeout: "2 minutes" })
    expect(Images.generate).type.toBeCallableWith(
      { prompt },
      { retry: Schedule.recurs(2), deadline: Duration.seconds(9), idleTimeout: 500 }
    )
    expect(Images.generate).type.not.toBeCallableWith({ prompt }, { timeout: "2 parsecs" })
    expect(Images.generate).type.not.toBeCallableWith({ prompt }, { retry: 3 })
  })

  test("have no keys, which belong to a layer", () => {
    expect(Images.generate).type.not.toBeCallableWith({ prompt }, { modelAccessKey: Redacted.make("key") })
    expect(GradientClient.layer).type.not.toBeCallableWith({ idempotencyKey: "one" })
  })
})

describe("GradientClient.layer", () => {
  test("requires a transport, and fails with GradientError if an option is invalid", () => {
    expect(client).type.toBe<
      Layer.Layer<GradientClient.GradientClient, GradientError.GradientError, HttpClient.HttpClient>
    >()
    expect(Images.layer).type.toBe<Layer.Layer<Images.Images, never, GradientClient.GradientClient>>()
    expect(layer).type.toBe<Layer.Layer<Images.Images, GradientError.GradientError>>()
  })

  test("accepts keys only as Redacted", () => {
    expect(GradientClient.layer).type.not.toBeCallableWith({ modelAccessKey: "key" })
    expect(GradientClient.layer).type.not.toBeCallableWith({ accessToken: "key" })
  })

  test("does not accept a base URL of another type", () => {
    expect(GradientClient.layer).type.toBeCallableWith({ baseUrl: "http://127.0.0.1:8080/v1" })
    expect(GradientClient.layer).type.not.toBeCallableWith({ baseURL: "http://127.0.0.1:8080/v1" })
  })
})
