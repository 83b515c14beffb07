import { describe, expect, it } from "@effect/vitest"
import { GradientError } from "../../src/index.ts"
import { namingModel } from "../../src/internal/request/model.ts"

const notFound = (description?: string, code?: string) =>
  new GradientError.NotFoundError({ description, code, status: 404 })

describe("a 404 for the model", () => {
  it.each([
    ["call", "from the call's `model`"],
    ["layer", "from the layer's `model`"],
    ["environment", "from GRADIENT_IMAGE_MODEL"],
    ["default", "the default model"]
  ] as const)("names it and where it came from: %s", (from, words) => {
    const reason = namingModel(notFound("Model not found"), { name: "gone", from }, {})
    expect(reason).toMatchObject({ _tag: "NotFoundError", model: "gone", status: 404, isRetryable: false })
    expect(reason.message).toContain(`There is no such model (404): "gone", ${words}: Model not found.`)
    expect(reason.message).toContain("`Models.list` and `gradient-images models` list all models")
  })

  it("is recognised by its code", () => {
    expect(namingModel(notFound(undefined, "model_not_found"), { name: "x", from: "call" }, {})).toHaveProperty(
      "model",
      "x"
    )
  })

  it("is distinguished from a wrong endpoint, and from any other failure", () => {
    const wrong = notFound("404 page not found")
    expect(namingModel(wrong, { name: "x", from: "call" }, {})).toBe(wrong)
    const other = new GradientError.BadRequestError({ description: "no such model" })
    expect(namingModel(other, { name: "x", from: "call" }, {})).toBe(other)
  })
})
