import { describe, expect, it } from "@effect/vitest"
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as Redacted from "effect/Redacted"
import * as Result from "effect/Result"
import { RetryPolicy } from "../../src/index.ts"
import type { Options, RequestOptions } from "../../src/internal/request/options.ts"
import { resolveCall } from "../../src/internal/request/resolveCall.ts"
import { resolveOptions } from "../../src/internal/request/resolveOptions.ts"

const prompt = "a sea otter"

const client = (options: Options = {}) => Result.getOrThrow(resolveOptions(options))

const called = (params: object, options?: RequestOptions, layer?: Options, kind: "generate" | "stream" = "generate") =>
  Result.getOrThrow(resolveCall(client(layer), params, kind, options))

const body = (...args: Parameters<typeof called>): unknown => JSON.parse(called(...args).json)

const refused = (params: unknown, options: object = {}) =>
  Result.getOrThrow(Result.flip(resolveCall(client(), params, "generate", options)))

describe("resolveCall", () => {
  it("reports the problems of params and options at once", () => {
    const error = refused(
      { prompt: "", n: "2", outputCompression: 101 },
      { timeout: "soon", idempotencyKey: "", headers: { "x one": "1" }, labels: { team: 5 }, extraBody: { seed: 1n } }
    )
    expect(error.issues.map(({ param }) => param)).toEqual([
      "n",
      "prompt",
      "outputCompression",
      "extraBody",
      "idempotencyKey",
      "headers.x one",
      "timeout",
      "labels.team"
    ])
    expect(error.description).toContain("n must be a number (got a string)")
  })

  it.each([undefined, null, 5, "a sea otter"])("params that are %j are refused", (params) => {
    expect(refused(params).description).toContain("params must be an object (got ")
  })

  it("reads each param once, so that the checked value is sent", () => {
    let reads = 0
    const params = {
      prompt,
      get n() {
        return ++reads === 1 ? 1 : 99
      }
    }
    expect(body(params)).toMatchObject({ n: 1 })
  })

  it("returns the params without the defaults", () => {
    expect(called({ prompt, size: null }, {}, {}, "stream").params).toEqual({ prompt })
  })

  describe("the model", () => {
    it.each([
      [{ prompt, model: "mine" }, {}, { name: "mine", from: "call" }],
      [{ prompt, model: "mine" }, { extraBody: { model: "x" } }, { name: "x", from: "extraBody" }],
      [{ prompt }, {}, { name: "layers", from: "layer" }],
      [{ prompt, model: undefined }, {}, { name: "layers", from: "layer" }]
    ])("of %j with %j is %j", (params, options, model) => {
      const layer = { model: "layers" }
      expect(called(params, options, layer).model).toEqual(model)
      expect(body(params, options, layer)).toMatchObject({ model: model.name })
    })

    it("of the layer decides which rules apply", () => {
      expect(body({ prompt, partialImages: 9 }, {}, { model: "other" }, "stream")).toMatchObject({ partial_images: 9 })
    })
  })

  describe("the body", () => {
    it("has the defaults; n and partialImages are the requested numbers", () => {
      expect(body({ prompt })).toEqual({ prompt, model: "openai-gpt-image-2", n: 1 })
      const stream = called({ prompt, n: 2 }, {}, {}, "stream")
      expect(JSON.parse(stream.json)).toEqual({
        prompt,
        model: "openai-gpt-image-2",
        n: 2,
        partial_images: 1,
        stream: true
      })
      expect(stream).toMatchObject({ n: 2, partialImages: 1, kind: "stream" })
    })

    it("n and partialImages include extraBody", () => {
      expect(called({ prompt }, { extraBody: { n: 3, partial_images: 2 } }, {}, "stream")).toMatchObject({
        n: 3,
        partialImages: 2
      })
    })

    it("sends safetyIdentifier and complexity", () => {
      expect(body({ prompt, safetyIdentifier: "u-1", complexity: "high", quality: "xhigh" })).toMatchObject({
        safety_identifier: "u-1",
        complexity: "high",
        quality: "xhigh"
      })
    })
  })

  describe("options", () => {
    it("override the client's", () => {
      const layer = {
        timeout: "1 second",
        idleTimeout: "2 seconds",
        deadline: "3 seconds",
        retry: RetryPolicy.eager
      } as const
      const millis = ({ deadline, idleTimeout, timeout }: ReturnType<typeof called>) =>
        [timeout, idleTimeout, deadline].map(Duration.toMillis)
      expect(millis(called({ prompt }, {}, layer))).toEqual([1000, 2000, 3000])
      expect(millis(called({ prompt }, { timeout: 1, idleTimeout: 2, deadline: 3 }, layer))).toEqual([1, 2, 3])
      expect(called({ prompt }, {}, layer).retry).toBe(RetryPolicy.eager)
      expect(called({ prompt }, { retry: RetryPolicy.none }, layer).retry).toBe(RetryPolicy.none)
    })

    it("headers are added to the client's, and null removes one", () => {
      const layer = { modelAccessKey: Redacted.make("k"), headers: { "x-one": "1", "x-two": "2" } }
      const options = { idempotencyKey: "order-7", headers: { "X-One": "one", "x-two": null, authorization: null } }
      expect(called({ prompt }, options, layer).headers).toEqual({
        accept: "application/json, text/event-stream",
        "idempotency-key": "order-7",
        "x-one": "one"
      })
    })

    it.each([
      [{ idempotencyKey: 5 }, "idempotencyKey must be a string (got a number)"],
      [{ idempotencyKey: "k".repeat(513) }, "idempotencyKey must be 1 to 512 characters (got 513 characters)"],
      [{ idempotencyKey: "k\n" }, "idempotencyKey must be made of characters that are allowed in a header"],
      [{ labels: "team" }, "labels must be an object of short strings (got a string)"],
      [
        { labels: { team: "x".repeat(257) } },
        "labels.team must be a string of up to 256 UTF-16 units (got 257 characters)"
      ],
      [{ headers: 5 }, "headers must be an object (got a number)"],
      [{ headers: ["x"] }, "headers must be an object (got a list)"],
      [{ onRetry: true }, "onRetry must be a function (got a boolean)"],
      [{ retry: 3 }, "retry must be a RetryPolicy or a Schedule (got 3)"],
      [{ extraBody: [] }, "extraBody must be an object that can be written as JSON (got a list)"],
      [{ extraBody: { seed: 1n } }, "extraBody must be an object that can be written as JSON (got TypeError"]
    ])("%o is refused", (options, message) => {
      expect(refused({ prompt }, options).description).toContain(message)
    })

    it("labels and onRetry are part of the call", () => {
      const onRetry = () => Effect.void
      expect(called({ prompt }, { labels: { team: "a" }, onRetry })).toMatchObject({ labels: { team: "a" }, onRetry })
    })
  })
})
