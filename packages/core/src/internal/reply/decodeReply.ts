/**
 * From lifted payloads to what users see: the bytes are put in, and the Schema decides.
 */
import type * as HttpClientResponse from "effect/http/HttpClientResponse"
import * as Predicate from "effect/Predicate"
import * as Result from "effect/Result"
import * as Schema from "effect/Schema"
import { GeneratedImage } from "../../GeneratedImage.ts"
import * as GradientError from "../../GradientError.ts"
import * as ImageGenerateResponse from "../../ImageGenerateResponse.ts"
import * as ImageGenStreamEvent from "../../ImageGenStreamEvent.ts"
import type { RawEvent } from "./SseParser.ts"
import type { Lifted } from "./ImageJsonParser.ts"
import type { RateLimit } from "../../RateLimit.ts"
import { property } from "../property.ts"
import { parseJson, reasonOfErrorObject, shorten, tellsError } from "../failure/errorResponse.ts"
import { type Facts, factsOf, rateLimitOf } from "../responseHead.ts"

/** What the head of a reply says, which goes into its responses, events and errors. */
export interface Head {
  readonly facts: Facts
  readonly rateLimit: RateLimit | undefined
  /** Where the head does not say what the body is, it is taken for what was asked for. */
  readonly isEventStream: boolean
  /** Takes the secrets of the request out of a text. */
  readonly conceal: (text: string) => string
}

export const headOf = (response: HttpClientResponse.HttpClientResponse, now: number): Head => ({
  ...factsOf(response),
  rateLimit: rateLimitOf(response.headers, now),
  isEventStream: !/json|html/i.test(response.headers["content-type"] ?? "")
})

type Reason = GradientError.GradientErrorReason

/** Images without a reply around them: what an error carries. */
export const bareImages = (images: ReadonlyArray<Uint8Array>): ReadonlyArray<GeneratedImage> =>
  images.map((bytes) => new GeneratedImage({ bytes }))

export const invalidResponse = (head: Head, description: string, images: ReadonlyArray<GeneratedImage>): Reason =>
  new GradientError.InvalidResponseError({ ...head.facts, images, description: shorten(description) })

/** The object with its bytes, if what stands there is the index of an image, and with a format, if it has none. */
const withBytes = (holder: unknown, images: ReadonlyArray<Uint8Array>, format?: unknown): unknown => {
  if (!Predicate.isObject(holder)) return holder
  const index = property(holder, "b64_json")
  const bytes = Predicate.isNumber(index) ? { b64_json: images[index] } : {}
  return { ...holder, output_format: property(holder, "output_format") ?? format, ...bytes }
}

const decodeResponse = Schema.decodeUnknownResult(ImageGenerateResponse.Lifted)
const decodeEvent = Schema.decodeUnknownResult(ImageGenStreamEvent.Lifted)

/** The response that this payload is. */
export const responseOf = (
  { images, json: text }: Lifted,
  head: Head
): Result.Result<ImageGenerateResponse.ImageGenerateResponse, Reason> => {
  const fail = (description: string) => Result.fail(invalidResponse(head, description, bareImages(images)))
  const json = head.conceal(text)
  const parsed = parseJson(json, head.conceal)
  if (Result.isFailure(parsed)) return fail(`it is not JSON: ${startOf(json)}`)
  const body = parsed.success
  if (!Predicate.isObject(body)) return fail(`it is not an object: ${startOf(json)}`)
  if (tellsError(body)) return Result.fail(reasonOfErrorObject(body, head.facts, bareImages(images)))
  const data = property(body, "data")
  const items = Array.isArray(data)
    ? data.map((item) => withBytes(item, images, property(body, "output_format")))
    : data
  const decoded = decodeResponse({ ...body, data: items, requestId: head.facts.requestId, rateLimit: head.rateLimit })
  return Result.isSuccess(decoded) ? Result.succeed(decoded.success) : fail(decoded.failure.message)
}

/** What an event of the stream is to the reader. */
export type Meaning =
  | { readonly _tag: "Event"; readonly event: ImageGenStreamEvent.ImageGenStreamEvent }
  | { readonly _tag: "Skipped"; readonly name: string }
  | { readonly _tag: "Done" }
  | { readonly _tag: "Failed"; readonly reason: Reason }

const imageEvents = new Set(["image_generation.partial_image", "image_generation.completed"])

/** Whether an event of this name can mean something; one without a name is told by its data. */
export const isWanted = (name: string): boolean =>
  name === "" || name === "message" || name === "error" || imageEvents.has(name)

/** What this event means. `lastImages`: the last picture given out, for an error to carry. */
export const meaningOf = ({ data, name }: RawEvent, head: Head, lastImages: ReadonlyArray<GeneratedImage>): Meaning => {
  const text = head.conceal(data.json).trim()
  if (!isWanted(name)) return { _tag: "Skipped", name }
  if (text === "[DONE]") return { _tag: "Done" }
  if (text === "") return { _tag: "Skipped", name }
  const images = data.images.length > 0 ? bareImages(data.images) : lastImages
  const invalid = (description: string): Meaning => ({
    _tag: "Failed",
    reason: invalidResponse(head, description, images)
  })
  const parsed = parseJson(text, head.conceal)
  const value = Result.getOrUndefined(parsed)
  const named = property(value, "type")
  const type = Predicate.isString(named) && named !== "" ? named : name
  if (type === "error" || name === "error" || tellsError(value)) {
    return { _tag: "Failed", reason: reasonOfErrorObject(value ?? { message: text }, head.facts, images) }
  }
  if (Result.isFailure(parsed)) return invalid(`an event is not JSON: ${startOf(text)}`)
  if (!imageEvents.has(type)) return { _tag: "Skipped", name: type }
  const header =
    type === "image_generation.completed" ? { requestId: head.facts.requestId, rateLimit: head.rateLimit } : {}
  const decoded = decodeEvent({ ...Object(withBytes(value, data.images)), type, ...header })
  return Result.isSuccess(decoded)
    ? { _tag: "Event", event: decoded.success }
    : invalid(`${type}: ${decoded.failure.message}`)
}

/** The events of a response that came as JSON where a stream was asked for: each image is complete. */
export const completedOf = (
  response: ImageGenerateResponse.ImageGenerateResponse
): ReadonlyArray<ImageGenStreamEvent.Completed> =>
  response.data.map(
    (image) => new ImageGenStreamEvent.Completed({ ...response, ...image, createdAt: response.created })
  )

const startOf = (text: string): string => JSON.stringify(text.length <= 80 ? text : `${text.slice(0, 80)}...`)
