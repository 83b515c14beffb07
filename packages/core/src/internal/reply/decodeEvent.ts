/** Decodes one event of a stream. */
import type * as Arr from "effect/Array"
import * as Predicate from "effect/Predicate"
import * as Result from "effect/Result"
import * as Schema from "effect/Schema"
import type { GradientErrorReason } from "../../GradientError.ts"
import type { ImageGenerateResponse } from "../../ImageGenerateResponse.ts"
import * as ImageGenStreamEvent from "../../ImageGenStreamEvent.ts"
import { errorBodyOf, isErrorValue } from "../failure/errorBody.ts"
import { reasonOfErrorObject } from "../failure/errorResponse.ts"
import { isList, property } from "../property.ts"
import { eventNames } from "../wire.ts"
import {
  type Carry,
  completedOf,
  type Decoded,
  decodeLeniently,
  type Flaw,
  flawOf,
  type Head,
  invalidReply,
  parse,
  responseOf,
  startOf,
  withBytes
} from "./decodeReply.ts"
import type { Extracted } from "./ImageJsonParser.ts"
import * as Metadata from "./metadata.ts"
import type { RawEvent } from "./SseParser.ts"

const decodeFields = Schema.decodeUnknownResult(ImageGenStreamEvent.Json.schema)

export type DecodedEvent =
  | {
      readonly _tag: "Events"
      readonly events: Arr.NonEmptyReadonlyArray<ImageGenStreamEvent.ImageGenStreamEvent>
      readonly unreadable: ReadonlyArray<string>
    }
  /** `Unusable`: the event should have an image, but has no usable one. */
  | { readonly _tag: "Unusable"; readonly isPartial: boolean; readonly flaw: Flaw }
  | { readonly _tag: "Skipped"; readonly name: string; readonly words?: string | undefined }
  | { readonly _tag: "Done" }
  | { readonly _tag: "Failed"; readonly reason: GradientErrorReason }

const imageEvents = new Set<string>([eventNames.partialImage, eventNames.completed])

/**
 * Whether an event with this name may be about an image or an error, so that data that cannot be parsed is not ignored.
 * True for an empty name and for `message`, because the data then shows the event's type.
 */
export const isKnownName = (name: string): boolean =>
  name === "" || name === "message" || name === eventNames.error || imageEvents.has(name)

/** The state of the stream that is needed to decode an event. */
export interface EventContext {
  readonly head: Head
  /** How many partial images of each image the call requested. */
  readonly partialImages: number
  /** The index for a partial image that has no valid index. */
  readonly nextIndex: number
  readonly carry: Carry
}

export const decodeEvent = ({ data, name }: RawEvent, context: EventContext): DecodedEvent => {
  const { carry, head } = context
  const text = head.redact(data.json).trim()
  if (text === "[DONE]") return { _tag: "Done" }
  if (text === "") return { _tag: "Skipped", name }
  const parsed = parse(text, head)
  const value = Result.getOrUndefined(parsed)
  const named = property(value, "type")
  const type = Predicate.isString(named) && named !== "" ? named : name
  if (name === eventNames.error || type === eventNames.error || isErrorValue(value)) {
    const reason = reasonOfErrorObject(value ?? { message: text }, head.fields, carry(data.images))
    return { _tag: "Failed", reason }
  }
  if (Result.isFailure(parsed)) return notJson(text, name, data, context)
  if (imageEvents.has(type)) return imageOf(type, value, data, context)
  const isResponse = (type === "" || type === "message") && Predicate.isObject(value) && isList(property(value, "data"))
  if (isResponse) return eventsOf(responseOf(data, head, carry))
  return { _tag: "Skipped", name: type, words: errorBodyOf(value).description }
}

/**
 * Handles an event whose data is not JSON. A partial image is unusable, and an event with an unknown name is skipped.
 * Any other event ends the stream with a failure.
 */
const notJson = (
  text: string,
  name: string,
  { flaw, images }: Extracted,
  { carry, head }: EventContext
): DecodedEvent => {
  if (!isKnownName(name)) return { _tag: "Skipped", name }
  const description = flaw ?? `an event is not JSON${startOf(text)}`
  if (name === eventNames.partialImage) return { _tag: "Unusable", isPartial: true, flaw: { description, urls: [] } }
  return { _tag: "Failed", reason: invalidReply(head, description, carry(images)) }
}

/** Decodes an event that should have an image. */
const imageOf = (type: string, value: unknown, data: Extracted, context: EventContext): DecodedEvent => {
  const { fields: head, rateLimit } = context.head
  const isPartial = type === eventNames.partialImage
  const unusable = (flaw: Flaw): DecodedEvent => ({ _tag: "Unusable", isPartial, flaw })
  const flaw = flawOf(data, [value])
  if (flaw !== undefined) return unusable({ ...flaw, description: `${type}: ${flaw.description}` })
  const own = isPartial ? { partialImages: context.partialImages } : { requestId: head.requestId, rateLimit }
  const wire = { ...withBytes(Predicate.isObject(value) ? value : {}, data.images), type, ...own }
  const decoded = decodeLeniently(decodeFields, wire, (members) => Metadata.repairEvent(members, context.nextIndex))
  if (Result.isFailure(decoded)) return unusable({ description: `${type}: ${decoded.failure}`, urls: [] })
  const { unreadable, value: event } = decoded.success
  return { _tag: "Events", events: [event], unreadable }
}

/** Converts a whole response, which some relays send as one event, to `Completed` events. */
const eventsOf = (response: Result.Result<Decoded<ImageGenerateResponse>, GradientErrorReason>): DecodedEvent =>
  Result.isSuccess(response)
    ? { _tag: "Events", events: completedOf(response.success.value), unreadable: response.success.unreadable }
    : { _tag: "Failed", reason: response.failure }
