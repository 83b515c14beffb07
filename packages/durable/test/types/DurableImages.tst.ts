import type { GradientError, Images } from "@effect-gradient/core"
import type * as Effect from "effect/Effect"
import type * as Layer from "effect/Layer"
import type * as Scope from "effect/Scope"
import type { SqlClient } from "effect/sql/SqlClient"
import * as Stream from "effect/Stream"
import { describe, expect, test } from "tstyche"
import type { ImageStore } from "../../src/index.ts"
import { DurableImages, type Generation, GenerationJournal, ImageBatch } from "../../src/index.ts"

type Parts = Images.Images | DurableImages.DurableImages | GenerationJournal.GenerationJournal | ImageStore.ImageStore

describe("DurableImages", () => {
  test("requires a journal, a store and the Images that it makes durable", () => {
    expect(DurableImages.layer()).type.toBe<
      Layer.Layer<
        Images.Images | DurableImages.DurableImages,
        GradientError.GradientError,
        Images.Images | GenerationJournal.GenerationJournal | ImageStore.ImageStore
      >
    >()
  })

  test("resolves a doubt only in a way that it knows, for an attempt", () => {
    expect(DurableImages.resolve).type.toBeCallableWith("key", { attempt: 1, as: "repeat" })
    expect(DurableImages.resolve).type.not.toBeCallableWith("key", { as: "repeat" })
    expect(DurableImages.resolve).type.not.toBeCallableWith("key", { attempt: 1, as: "retry" })
  })

  test("lists generations as a stream, which fails with GradientError", () => {
    expect(DurableImages.list()).type.toBe<
      Stream.Stream<Generation.Generation, GradientError.GradientError, DurableImages.DurableImages>
    >()
  })

  test("joins a call for as long as a Scope is open", () => {
    expect(DurableImages.join("key")).type.toBe<
      Effect.Effect<DurableImages.Joined, GradientError.GradientError, DurableImages.DurableImages | Scope.Scope>
    >()
  })
})

describe("the parts", () => {
  test("a journal in SQL requires a SqlClient, and one in memory nothing", () => {
    expect<Layer.Services<ReturnType<typeof GenerationJournal.layerSql>>>().type.toBe<SqlClient>()
    expect(GenerationJournal.layerMemory).type.toBe<Layer.Layer<GenerationJournal.GenerationJournal>>()
  })

  test("a store in a bucket accepts the secret only as Redacted", () => {
    expect<ImageStore.S3Options["secretAccessKey"]>().type.not.toBeAssignableFrom<string>()
  })

  test("a batch fails with GradientError, or as its input does", () => {
    const lines = Stream.make("{}")
    expect(ImageBatch.run({ name: "otters", lines })).type.toBe<
      Stream.Stream<ImageBatch.Progress, GradientError.GradientError, Parts>
    >()
    const failing: Stream.Stream<string, "unreadable"> = lines
    expect(ImageBatch.run({ name: "otters", lines: failing })).type.toBe<
      Stream.Stream<ImageBatch.Progress, GradientError.GradientError | "unreadable", Parts>
    >()
  })
})
