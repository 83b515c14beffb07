/**
 * Decodes a response from its JSON and its extracted images. A response with an image that cannot be used is refused,
 * because the images are what was paid for. Other members that cannot be decoded are left out or get a default.
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
import { isErrorValue, parseJson } from "../failure/errorBody.ts"
import { reasonOfErrorObject } from "../failure/errorResponse.ts"
import { oneLine, shorten, visibleText } from "../failure/visibleText.ts"
import { isList, property } from "../property.ts"
import { type HeadFields, readHead, rateLimitOf } from "../responseHead.ts"
import { Base64Sink } from "./Base64Sink.ts"
import type { Extracted } from "./ImageJsonParser.ts"
import * as Metadata from "./metadata.ts"

/** The values from the head of a reply that are used for its response, its events and its errors. */
export interface Head {
  readonly fields: HeadFields
  readonly rateLimit: RateLimit | undefined
  /** When the head arrived, in milliseconds since 1970. */
  readonly arrivedAt: number
  /** Redacts the secrets of the request in the given text. */
  readonly redact: (text: string) => string
}

/** Reads the head of a reply. `now` is in milliseconds since 1970. */
export const headOf = (response: HttpClientResponse.HttpClientResponse, now: number): Head => ({
  ...readHead(response),
  rateLimit: rateLimitOf(response.headers, now),
  arrivedAt: now
})

type Reason = GradientError.GradientErrorReason
type Images = ReadonlyArray<GeneratedImage>

/** A decoded value, and the paths of the members that could not be decoded. */
export interface Decoded<A> {
  readonly value: A
  readonly unreadable: ReadonlyArray<string>
}

/** A list with the message to log about members that could not be decoded. Empty if there are none. */
export const noteUnreadable = (unreadable: ReadonlyArray<string>): ReadonlyArray<string> =>
  unreadable.length === 0 ? [] : [`Members of the reply cannot be decoded: ${shorten(unreadable.join(", "))}`]

/** Images without their metadata. */
export const bareImages = (images: ReadonlyArray<Uint8Array>): Images =>
  images.map((bytes) => new GeneratedImage({ bytes }))

/** Why a reply or an event is unusable, and the URLs that it has in place of images. */
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
  return new GradientError.InvalidResponseError({ ...head.fields, images, urls, description: oneLine(description) })
}

/** The reason for a reply that is not a JSON object. */
export const notAnObject = (head: Head, text: string): Reason => {
  const json = head.redact(text).trim()
  const what = Result.isSuccess(parse(json, head)) ? "the reply's JSON is not an object" : "the reply is not JSON"
  return invalidReply(head, `${what}${startOf(json)}`)
}

/** The start of a text in quotes after a colon, to append to a message. Empty if the text has no words. */
export const startOf = (text: string): string => {
  const words = visibleText(text)
  return words === undefined ? "" : `: ${JSON.stringify(shorten(words, 300))}`
}

/**
 * Parses JSON text in which secrets were redacted. A secret that is escaped in the text may remain, so if the text has
 * escapes, the parsed strings are redacted too.
 */
export const parse = (text: string, { redact }: Head): Result.Result<unknown, unknown> =>
  text.includes("\\") ? parseJson(text, redact) : Result.try((): unknown => JSON.parse(text))

const isUrl = (value: unknown): value is string => Predicate.isString(value) && value.trim() !== ""

/** The URLs in those objects that have no image bytes. */
const urlsOf = (holders: ReadonlyArray<unknown>): ReadonlyArray<string> =>
  holders
    .filter((holder) => !Predicate.isNumber(property(holder, "b64_json")))
    .map((holder) => property(holder, "url"))
    .filter(isUrl)

/** The bytes of an image that was sent as a data URL. `undefined` unless the URL has valid base64 that is not empty. */
const imageOfDataUrl = (url: unknown): Uint8Array | undefined => {
  const [, text] = (Predicate.isString(url) && /^data:[^,]{0,100};base64,([^=]*)={0,2}$/.exec(url)) || []
  if (text === undefined) return undefined
  const sink = new Base64Sink(text.length, Math.ceil((text.length * 3) / 4))
  const bytes = sink.writeRun(text) === text.length ? sink.finish() : undefined
  return bytes?.length === 0 ? undefined : bytes
}

/** Describes a flaw of an image, or an image that must be downloaded from a URL. `undefined` if there is none. */
export const flawOf = ({ flaw }: Extracted, holders: ReadonlyArray<unknown>): Flaw | undefined => {
  const urls = urlsOf(holders)
  const first = urls.find((url) => imageOfDataUrl(url) === undefined)
  if (first === undefined) return flaw === undefined ? undefined : { description: flaw, urls }
  const more = urls.length > 1 ? ` (and ${urls.length - 1} more in the error's \`urls\`)` : ""
  return { description: `an image was sent as a URL; download it soon, because it may expire: ${first}${more}`, urls }
}

/**
 * Sets `b64_json` to the bytes of the image, which is given by its index or as a data URL, and sets the output format
 * if it is absent.
 */
export const withBytes = (holder: object, images: ReadonlyArray<Uint8Array>, format?: unknown): object => {
  const index = property(holder, "b64_json")
  const bytes = Predicate.isNumber(index) ? images[index] : imageOfDataUrl(property(holder, "url"))
  const image = bytes === undefined ? {} : { b64_json: bytes }
  return { ...holder, output_format: property(holder, "output_format") ?? format, ...image }
}

/** The items of `data`, or the body itself if it is a single image. */
const itemsOf = (body: object): ReadonlyArray<unknown> | undefined => {
  const data = property(body, "data")
  if (isList(data)) return data
  return Predicate.isNumber(property(body, "b64_json")) || isUrl(property(body, "url")) ? [body] : undefined
}

/**
 * Adds an item for each image that no item refers to. If a reply has the same key twice, `JSON.parse` keeps only the
 * last value, but the images of the first value are paid for too.
 */
const withUnnamed = (items: ReadonlyArray<unknown>, images: ReadonlyArray<Uint8Array>): ReadonlyArray<unknown> => {
  const named = new Set(items.map((item) => property(item, "b64_json")))
  return [...items, ...images.flatMap((_, index) => (named.has(index) ? [] : [{ b64_json: index }]))]
}

const decodeResponse = Schema.decodeUnknownResult(ImageGenerateResponse.Json.schema)

/** Decodes the value. If that fails, decodes it again without the members that cannot be decoded. */
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

/** Returns the images that a failure carries. The argument is the images of the current reply or event. */
export type Carry = (images: ReadonlyArray<Uint8Array>) => Images

export const responseOf = (
  extracted: Extracted,
  head: Head,
  carry: Carry = bareImages
): Result.Result<Decoded<ImageGenerateResponse.ImageGenerateResponse>, Reason> => {
  const images = () => carry(extracted.images)
  const json = head.redact(extracted.json)
  const parsed = parse(json, head)
  if (Result.isFailure(parsed)) {
    return Result.fail(invalidReply(head, extracted.flaw ?? `the reply is not JSON${startOf(json)}`, images()))
  }
  const body = parsed.success
  if (isErrorValue(body)) return Result.fail(reasonOfErrorObject(body, head.fields, images()))
  if (!Predicate.isObject(body)) {
    return Result.fail(invalidReply(head, `the reply's JSON is not an object${startOf(json)}`, images()))
  }
  const flaw = hasNothing(body, extracted) ? `the reply has no images${startOf(json)}` : undefined
  return flaw === undefined ? decodeBody(body, extracted, head, carry) : Result.fail(invalidReply(head, flaw))
}

/** Whether a response has no items and no images, not even an unusable image. */
const hasNothing = (body: object, { flaw, images }: Extracted): boolean =>
  flaw === undefined && images.length === 0 && (itemsOf(body) ?? []).length === 0

const decodeBody = (
  body: object,
  extracted: Extracted,
  head: Head,
  carry: Carry
): Result.Result<Decoded<ImageGenerateResponse.ImageGenerateResponse>, Reason> => {
  const fail = (flaw: string | Flaw) => invalidReply(head, flaw, carry(extracted.images))
  const items = itemsOf(body) ?? []
  const flaw = flawOf(extracted, items)
  if (flaw !== undefined) return Result.fail(fail(flaw))
  const format = property(body, "output_format")
  const data = withUnnamed(items, extracted.images).map((item) =>
    Predicate.isObject(item) ? withBytes(item, extracted.images, format) : item
  )
  const wire = { ...body, data, requestId: head.fields.requestId, rateLimit: head.rateLimit }
  return Result.mapError(
    decodeLeniently(decodeResponse, wire, (members) => Metadata.repairResponse(members, head.arrivedAt)),
    fail
  )
}

export const completedOf = (
  response: ImageGenerateResponse.ImageGenerateResponse
): Arr.NonEmptyReadonlyArray<ImageGenStreamEvent.Completed> =>
  Arr.map(
    response.data,
    (image) => new ImageGenStreamEvent.Completed({ ...response, ...image, createdAt: response.created })
  )

/**
 * Converts `Completed` events to a response with the images of all events. `usage` is that of the last event that has
 * one. The other fields are those of the last event. If that has no creation time, `arrivedAt` is used.
 */
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
