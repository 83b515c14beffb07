/**
 * From parsed JSON and the images taken out of it to a response. Images are read strictly. What surrounds them is read
 * leniently: a member that cannot be read is left out.
 */
import * as Arr from "effect/Array"
import * as DateTime from "effect/DateTime"
import type * as HttpClientResponse from "effect/http/HttpClientResponse"
import * as Predicate from "effect/Predicate"
import * as Result from "effect/Result"
import * as Schema from "effect/Schema"
import { GeneratedImage } from "../../GeneratedImage.ts"
import * as GradientError from "../../GradientError.ts"
import * as ImageGenerateResponse from "../../ImageGenerateResponse.ts"
import * as ImageGenStreamEvent from "../../ImageGenStreamEvent.ts"
import type { RateLimit } from "../../RateLimit.ts"
import { parseJson, reasonOfErrorObject, shorten, tellsError } from "../failure/errorResponse.ts"
import { visibleText } from "../failure/visibleText.ts"
import { property } from "../property.ts"
import { type Facts, factsOf, rateLimitOf } from "../responseHead.ts"
import { Base64Sink } from "./Base64Sink.ts"
import type { Lifted } from "./ImageJsonParser.ts"
import * as Metadata from "./metadata.ts"

/** From the head of a reply: what its responses, events and errors repeat. */
export interface Head {
  readonly facts: Facts
  readonly rateLimit: RateLimit | undefined
  /** When the head arrived, in milliseconds. */
  readonly arrivedAt: number
  /** Removes the secrets of the request from a text. */
  readonly conceal: (text: string) => string
}

/** `now` in milliseconds. */
export const headOf = (response: HttpClientResponse.HttpClientResponse, now: number): Head => ({
  ...factsOf(response),
  rateLimit: rateLimitOf(response.headers, now),
  arrivedAt: now
})

type Reason = GradientError.GradientErrorReason
type Images = ReadonlyArray<GeneratedImage>

/** A value, and the paths of the members that could not be read. */
export interface Decoded<A> {
  readonly value: A
  readonly unreadable: ReadonlyArray<string>
}

/** What to log at debug about members that could not be read: nothing if there are none. */
export const noteUnreadable = (unreadable: ReadonlyArray<string>): ReadonlyArray<string> =>
  unreadable.length === 0 ? [] : [`Left out, as it cannot be read: ${shorten(unreadable.join(", "))}`]

/** Images without what the reply says about them. */
export const bareImages = (images: ReadonlyArray<Uint8Array>): Images =>
  images.map((bytes) => new GeneratedImage({ bytes }))

/** What is wrong with a reply, and the addresses of images that it gives in place of bytes. */
export interface Flaw {
  readonly description: string
  readonly urls: ReadonlyArray<string>
}

export const invalidReply = (
  head: Head,
  flaw: string | Flaw,
  images: Images = []
): GradientError.InvalidResponseError => {
  const { description, urls } = Predicate.isString(flaw) ? { description: flaw, urls: [] } : flaw
  return new GradientError.InvalidResponseError({ ...head.facts, images, urls, description: shorten(description) })
}

/** The reason of a reply that is not a JSON object. */
export const notAnObject = (head: Head, text: string): Reason => {
  const json = head.conceal(text).trim()
  const what = Result.isSuccess(parse(json, head)) ? "it is not an object" : "it is not JSON"
  return invalidReply(head, `${what}${startOf(json)}`)
}

export const startOf = (text: string): string => {
  const words = visibleText(text)
  return words === undefined ? "" : `: ${JSON.stringify(shorten(words, 300))}`
}

/** Parses text whose secrets are concealed. A backslash can hide one, so then the parsed strings are concealed again. */
export const parse = (text: string, { conceal }: Head): Result.Result<unknown, unknown> =>
  text.includes("\\") ? parseJson(text, conceal) : Result.try((): unknown => JSON.parse(text))

export const isList = (value: unknown): value is ReadonlyArray<unknown> => Array.isArray(value)

const isAddress = (value: unknown): value is string => Predicate.isString(value) && value.trim() !== ""

/** The addresses in these objects, of images that have no bytes. */
const urlsOf = (holders: ReadonlyArray<unknown>): ReadonlyArray<string> =>
  holders
    .filter((holder) => !Predicate.isNumber(property(holder, "b64_json")))
    .map((holder) => property(holder, "url"))
    .filter(isAddress)

/** The bytes of an image that is given as a data URL. */
const imageOfDataUrl = (url: unknown): Uint8Array | undefined => {
  const [, text] = (Predicate.isString(url) && /^data:[^,]{0,100};base64,(.*)$/.exec(url)) || []
  if (text === undefined) return undefined
  const sink = new Base64Sink(text.length, Math.ceil((text.length * 3) / 4))
  const bytes = sink.writeRun(text) === text.length ? sink.finish() : undefined
  return bytes?.length === 0 ? undefined : bytes
}

/** What is wrong with the images, if something is. */
export const flawOf = ({ flaw }: Lifted, holders: ReadonlyArray<unknown>): Flaw | undefined => {
  const urls = urlsOf(holders)
  const first = urls.find((url) => imageOfDataUrl(url) === undefined)
  if (first === undefined) return flaw === undefined ? undefined : { description: flaw, urls }
  const more = urls.length > 1 ? ` (and ${urls.length - 1} more in \`urls\`)` : ""
  return { description: `an image came as an address; download it soon, as it may expire: ${first}${more}`, urls }
}

/** The object with the bytes of its image in place of their index, and with a format if it has none. */
export const withBytes = (holder: object, images: ReadonlyArray<Uint8Array>, format?: unknown): object => {
  const index = property(holder, "b64_json")
  const bytes = Predicate.isNumber(index) ? images[index] : imageOfDataUrl(property(holder, "url"))
  const image = bytes === undefined ? {} : { b64_json: bytes }
  return { ...holder, output_format: property(holder, "output_format") ?? format, ...image }
}

/** The items of a response: those of `data`, or the object itself if it is a single image. */
const itemsOf = (body: object): ReadonlyArray<unknown> | undefined => {
  const data = property(body, "data")
  if (isList(data)) return data
  return Predicate.isNumber(property(body, "b64_json")) || isAddress(property(body, "url")) ? [body] : undefined
}

/** With `data` or `b64_json` given twice, JSON keeps the last one. The other images are added, since they are paid for. */
const withUnnamed = (items: ReadonlyArray<unknown>, images: ReadonlyArray<Uint8Array>): ReadonlyArray<unknown> => {
  const named = new Set(items.map((item) => property(item, "b64_json")))
  return named.size >= images.length
    ? items
    : [...items, ...images.flatMap((_, index) => (named.has(index) ? [] : [{ b64_json: index }]))]
}

const decodeResponse = Schema.decodeUnknownResult(ImageGenerateResponse.Lifted)

/** Decodes as it is, else without the members that cannot be read. */
export const decodeLeniently = <A>(
  decode: (wire: object) => Result.Result<A, Schema.SchemaError>,
  wire: object,
  repair: (wire: object) => Metadata.Repaired
): Result.Result<Decoded<A>, string> => {
  const decoded = decode(wire)
  if (Result.isSuccess(decoded)) return Result.succeed({ value: decoded.success, unreadable: [] })
  const repaired = repair(wire)
  return Result.mapBoth(decode(repaired.readable), {
    onSuccess: (value) => ({ value, unreadable: repaired.unreadable }),
    onFailure: ({ message }) => message
  })
}

/** Which images a failure carries, given those of the reply or event that is decoded. */
export type Carry = (images: ReadonlyArray<Uint8Array>) => Images

/** Decodes a response. */
export const responseOf = (
  lifted: Lifted,
  head: Head,
  carry: Carry = bareImages
): Result.Result<Decoded<ImageGenerateResponse.ImageGenerateResponse>, Reason> => {
  const images = () => carry(lifted.images)
  const json = head.conceal(lifted.json)
  const parsed = parse(json, head)
  if (Result.isFailure(parsed)) {
    return Result.fail(invalidReply(head, lifted.flaw ?? `it is not JSON${startOf(json)}`, images()))
  }
  const body = parsed.success
  if (tellsError(body)) return Result.fail(reasonOfErrorObject(body, head.facts, images()))
  if (!Predicate.isObject(body)) return Result.fail(invalidReply(head, `it is not an object${startOf(json)}`, images()))
  return decodeBody(body, lifted, head, carry)
}

/** Decodes the object that a response is. */
const decodeBody = (
  body: object,
  lifted: Lifted,
  head: Head,
  carry: Carry
): Result.Result<Decoded<ImageGenerateResponse.ImageGenerateResponse>, Reason> => {
  const fail = (flaw: string | Flaw) => invalidReply(head, flaw, carry(lifted.images))
  const items = itemsOf(body) ?? (lifted.images.length > 0 ? [] : undefined)
  const flaw = flawOf(lifted, items ?? [])
  if (flaw !== undefined) return Result.fail(fail(flaw))
  const format = property(body, "output_format")
  const data =
    items === undefined
      ? property(body, "data")
      : withUnnamed(items, lifted.images).map((item) =>
          Predicate.isObject(item) ? withBytes(item, lifted.images, format) : item
        )
  const wire = { ...body, data, requestId: head.facts.requestId, rateLimit: head.rateLimit }
  return Result.mapError(
    decodeLeniently(decodeResponse, wire, (whole) => Metadata.repairResponse(whole, head.arrivedAt)),
    fail
  )
}

/** The events of a response: each image is complete. */
export const completedOf = (
  response: ImageGenerateResponse.ImageGenerateResponse
): Arr.NonEmptyReadonlyArray<ImageGenStreamEvent.Completed> =>
  Arr.map(
    response.data,
    (image) => new ImageGenStreamEvent.Completed({ ...response, ...image, createdAt: response.created })
  )

/** The response of these events: what surrounds the images is taken from the last event that has it. */
export const responseOfCompleted = (
  events: Arr.NonEmptyReadonlyArray<ImageGenStreamEvent.Completed>,
  { arrivedAt }: Pick<Head, "arrivedAt">
): ImageGenerateResponse.ImageGenerateResponse => {
  const last = Arr.lastNonEmpty(events)
  return new ImageGenerateResponse.ImageGenerateResponse({
    created: last.createdAt ?? DateTime.makeUnsafe(arrivedAt),
    data: Arr.map(
      events,
      ({ bytes, outputFormat, revisedPrompt }) => new GeneratedImage({ bytes, outputFormat, revisedPrompt })
    ),
    background: last.background,
    outputFormat: last.outputFormat,
    quality: last.quality,
    size: last.size,
    usage: events.findLast(({ usage }) => usage !== undefined)?.usage,
    requestId: last.requestId,
    rateLimit: last.rateLimit
  })
}
