import type OpenAI from "openai"
import * as Schema from "effect/Schema"
import { describe, expect, test } from "tstyche"
import { ImageGenerateParams, type ImageGenerateResponse, type ImageGenStreamEvent } from "../../src/index.ts"

type Sent = typeof ImageGenerateParams.Json.Encoded

type Received = typeof ImageGenerateResponse.Json.schema.Encoded
type Event = typeof ImageGenStreamEvent.Json.schema.Encoded
type Completed = Extract<Event, { type: "image_generation.completed" }>
type PartialImage = Extract<Event, { type: "image_generation.partial_image" }>

describe("the wire", () => {
  test("has the names of the API", () => {
    expect<Sent>().type.toHaveProperty("output_format")
    expect<Sent>().type.toHaveProperty("output_compression")
    expect<Sent>().type.toHaveProperty("partial_images")
    expect<Sent>().type.toHaveProperty("safety_identifier")
    expect<Sent>().type.not.toHaveProperty("outputFormat")
    expect<Completed>().type.toHaveProperty("revised_prompt")
    expect<Event>().type.not.toHaveProperty("_tag")
  })

  test("is decoded to params, and encoded from them", () => {
    expect(Schema.encodeSync(ImageGenerateParams.Json)({ prompt: "A sea otter" })).type.toBe<Sent>()
    expect(ImageGenerateParams.Json.Type).type.toBe<ImageGenerateParams.ImageGenerateParamsStreaming>()
  })
})

describe("the openai SDK", () => {
  test("accepts the values that we suggest, under the same names", () => {
    expect<OpenAI.ImageGenerateParamsNonStreaming>().type.toBeAssignableFrom<{
      prompt: Sent["prompt"]
      model: NonNullable<Sent["model"]>
      n: NonNullable<Sent["n"]>
      size: NonNullable<Sent["size"]>
      output_compression: NonNullable<Sent["output_compression"]>
      safety_identifier: NonNullable<Sent["safety_identifier"]>
      user: NonNullable<Sent["user"]>
    }>()
  })

  test("sends only what our codec of params decodes", () => {
    type Known = Extract<keyof Sent, keyof OpenAI.ImageGenerateParamsStreaming>
    expect<Exclude<keyof Sent, Known>>().type.toBe<never>()
    expect<Sent>().type.toBeAssignableFrom<Pick<OpenAI.ImageGenerateParamsStreaming, Exclude<Known, "model">>>()
  })

  test("receives replies that we decode, with the same members", () => {
    type Image = Received["data"][number]
    expect<Omit<Received, "data">>().type.toBeAssignableFrom<Omit<OpenAI.ImagesResponse, "data">>()
    expect<Omit<Image, "b64_json">>().type.toBeAssignableFrom<Omit<OpenAI.Image, "b64_json">>()
  })

  test("receives events that we decode, with the same members", () => {
    expect<Omit<Completed, "b64_json">>().type.toBeAssignableFrom<Omit<OpenAI.ImageGenCompletedEvent, "b64_json">>()
    expect<Omit<PartialImage, "b64_json">>().type.toBeAssignableFrom<
      Omit<OpenAI.ImageGenPartialImageEvent, "b64_json">
    >()
  })
})
