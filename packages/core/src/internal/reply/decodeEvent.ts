/**
 * From an event of a stream to what it means.
 */
import type * as Arr from "effect/Array"
import * as Predicate from "effect/Predicate"
import * as Result from "effect/Result"
import * as Schema from "effect/Schema"
import type { GradientErrorReason } from "../../GradientError.ts"
import type { ImageGenerateResponse } from "../../ImageGenerateResponse.ts"
import * as ImageGenStreamEvent from "../../ImageGenStreamEvent.ts"
import { reasonOfErrorObject, tellsError } from "../failure/errorResponse.ts"
import { property } from "../property.ts"
import {
  type Carry,
  completedOf,
  type Decoded,
  decodeLeniently,
  type Flaw,
  flawOf,
  type Head,
  invalidReply,
  isList,
  parse,
  responseOf,
  startOf,
  withBytes
} from "./decodeReply.ts"
import type { Lifted } from "./ImageJsonParser.ts"
import * as Metadata from "./metadata.ts"
import type { RawEvent } from "./SseParser.ts"

const decodeEvent = Schema.decodeUnknownResult(ImageGenStreamEvent.Lifted)

/** What an event of the stream means for its reader. */
export type Meaning =
  | {
      readonly _tag: "Events"
      readonly events: Arr.NonEmptyReadonlyArray<ImageGenStreamEvent.ImageGenStreamEvent>
      readonly unreadable: ReadonlyArray<string>
    }
  /** The event should bring an image, and there is none that can be used. */
  | { readonly _tag: "Unusable"; readonly isPartial: boolean; readonly flaw: Flaw }
  | { readonly _tag: "Skipped"; readonly name: string }
  | { readonly _tag: "Done" }
  | { readonly _tag: "Failed"; readonly reason: GradientErrorReason }

const partialImage = "image_generation.partial_image"
const imageEvents = new Set([partialImage, "image_generation.completed"])

/** Whether events of this name have to be understood. An event without a name is known by its data. */
export const isKnownName = (name: string): boolean =>
  name === "" || name === "message" || name === "error" || imageEvents.has(name)

/** What the meaning of an event depends on. */
export interface Context {
  readonly head: Head
  /** How many partial images were asked for. */
  readonly partialImages: number
  /** The index of a partial image that has none. */
  readonly nextIndex: number
  readonly carry: Carry
}

/** What an event means. */
export const meaningOf = ({ data, name }: RawEvent, context: Context): Meaning => {
  const { carry, head } = context
  const text = head.conceal(data.json).trim()
  if (text === "[DONE]") return { _tag: "Done" }
  if (text === "") return { _tag: "Skipped", name }
  const parsed = parse(text, head)
  const value = Result.getOrUndefined(parsed)
  const named = property(value, "type")
  const type = Predicate.isString(named) && named !== "" ? named : name
  if (name === "error" || type === "error" || tellsError(value)) {
    const reason = reasonOfErrorObject(value ?? { message: text }, head.facts, carry(data.images))
    return { _tag: "Failed", reason }
  }
  if (Result.isFailure(parsed)) return notJson(text, name, data, context)
  if (imageEvents.has(type)) return imageOf(type, value, data, context)
  const isResponse = (type === "" || type === "message") && Predicate.isObject(value) && isList(property(value, "data"))
  return isResponse ? eventsOf(responseOf(data, head, carry)) : { _tag: "Skipped", name: type }
}

/** A partial image that is not JSON is not the end of the stream; in an event of an unknown name anything may be. */
const notJson = (text: string, name: string, { flaw, images }: Lifted, { carry, head }: Context): Meaning => {
  if (!isKnownName(name)) return { _tag: "Skipped", name }
  const description = flaw ?? `an event is not JSON${startOf(text)}`
  if (name === partialImage) return { _tag: "Unusable", isPartial: true, flaw: { description, urls: [] } }
  return { _tag: "Failed", reason: invalidReply(head, description, carry(images)) }
}

/** Decodes the event of an image. */
const imageOf = (type: string, value: unknown, data: Lifted, context: Context): Meaning => {
  const { facts, rateLimit } = context.head
  const isPartial = type === partialImage
  const unusable = (flaw: Flaw): Meaning => ({ _tag: "Unusable", isPartial, flaw })
  const flaw = flawOf(data, [value])
  if (flaw !== undefined) return unusable({ ...flaw, description: `${type}: ${flaw.description}` })
  const own = isPartial ? { partialImages: context.partialImages } : { requestId: facts.requestId, rateLimit }
  const wire = { ...withBytes(Predicate.isObject(value) ? value : {}, data.images), type, ...own }
  const decoded = decodeLeniently(decodeEvent, wire, (whole) => Metadata.repairEvent(whole, context.nextIndex))
  if (Result.isFailure(decoded)) return unusable({ description: `${type}: ${decoded.failure}`, urls: [] })
  const { unreadable, value: event } = decoded.success
  return { _tag: "Events", events: [event], unreadable }
}

/** Relays send a whole response as an event. */
const eventsOf = (response: Result.Result<Decoded<ImageGenerateResponse>, GradientErrorReason>): Meaning =>
  Result.isSuccess(response)
    ? { _tag: "Events", events: completedOf(response.success.value), unreadable: response.success.unreadable }
    : { _tag: "Failed", reason: response.failure }
