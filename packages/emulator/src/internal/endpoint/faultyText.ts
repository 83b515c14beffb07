/** Applies the faults that change the text of a reply: its events, or its JSON. */
import * as ErrorBody from "@effect-gradient/core/ErrorBody"
import * as Effect from "effect/Effect"
import * as Schema from "effect/Schema"
import * as Stream from "effect/Stream"
import type { Fault } from "../../Fault.ts"

/** A part of a reply's text: a comment or an event of a stream, or the JSON of all images. */
export interface ReplyPart {
  readonly kind: "comment" | "partial" | "completed" | "json"
  readonly text: string
}

const isFinal = ({ kind }: ReplyPart): boolean => kind === "completed" || kind === "json"

type Text = Stream.Stream<string>

/** Replaces the first part that contains a final image, and drops all parts after it. */
const replaceFinal = (parts: Stream.Stream<ReplyPart>, make: (text: string) => Text): Text =>
  Stream.flatMap(Stream.takeUntil(parts, isFinal), (part) =>
    isFinal(part) ? make(part.text) : Stream.succeed(part.text)
  )

const errorBody = (code = "server_error") =>
  ErrorBody.make({ status: 500, message: "The emulator fails because of the fault error-event.", code })

/**
 * Replaces all final images by one error. In a stream, the error is an event after the first `after` partial images.
 * Otherwise the reply is the JSON of the error.
 */
const withError = (parts: Stream.Stream<ReplyPart>, after: number, code: string | undefined, isStream: boolean): Text =>
  isStream
    ? parts.pipe(
        Stream.filter(({ kind }) => kind === "partial"),
        Stream.take(after),
        Stream.map(({ text }) => text),
        Stream.concat(Stream.succeed(ErrorBody.toServerSentEvent(errorBody(code))))
      )
    : Stream.succeed(JSON.stringify(errorBody(code)))

/** Matches the beginning of an image's JSON member: its name and the first 8 characters of its base64. */
const startOfImage = /"b64_json":"[^"]{8}/

/** Returns the text up to the first characters of the image, and then base64 that never ends. */
const endless = (text: string): Text => {
  const image = startOfImage.exec(text)
  const start = image === null ? text : text.slice(0, image.index + image[0].length)
  const more = Effect.as(Effect.yieldNow, "A".repeat(65_536))
  return Stream.concat(Stream.succeed(start), Stream.fromEffectRepeat(more))
}

const withWrongTypes = (text: string): string =>
  text
    .replace(/"(created|created_at)":\d+/, '"$1":"yesterday"')
    .replace(/"partial_image_index":\d+/, '"partial_image_index":"first"')
    .replace(/"usage":\{/, '"usage":"much","_":{')

const isImage = (text: string) => text.includes('"b64_json":"')

const decodeMembers = Schema.decodeUnknownSync(Schema.fromJsonString(Schema.Record(Schema.String, Schema.Unknown)))

/** Transforms the JSON within the text of a part. */
const mapJson = (text: string, f: (members: { readonly [member: string]: unknown }) => unknown): string =>
  text.replace(/\{.*\}/s, (json) => JSON.stringify(f(decodeMembers(json))))

const withoutMetadata = (text: string): string =>
  isImage(text) ? mapJson(text, ({ b64_json, data, type }) => ({ type, b64_json, data })) : text

const withEmptyError = (text: string): string =>
  isImage(text) ? mapJson(text, (json) => ({ ...json, error: {} })) : text

/** The URL of an image on a host that does not exist. */
const url = "https://images.emulator.invalid/1.png"

/**
 * Returns the text of the parts, changed by the fault. `partialImages` is `undefined` if the client did not request a
 * stream.
 */
export const toText = (
  parts: Stream.Stream<ReplyPart>,
  fault: Fault | undefined,
  partialImages: number | undefined
): Text => {
  const mapText = (f: (text: string) => string) => Stream.map(parts, ({ text }) => f(text))
  const mapFinal = (f: (text: string) => string) =>
    Stream.map(parts, (part) => (isFinal(part) ? f(part.text) : part.text))
  switch (fault?._tag) {
    case "cut-event":
      return replaceFinal(parts, (text) => Stream.succeed(text.slice(0, fault.at)))
    case "endless-event":
      return replaceFinal(parts, endless)
    case "error-event":
      return withError(parts, fault.after ?? partialImages ?? 0, fault.code, partialImages !== undefined)
    case "no-completed":
      return Stream.map(
        Stream.filter(parts, ({ kind }) => kind !== "completed"),
        ({ text }) => text
      )
    case "invalid-base64":
      return mapText((text) => text.replaceAll(new RegExp(startOfImage, "g"), "$&!"))
    case "no-blank-line":
      return replaceFinal(parts, (text) => Stream.succeed(text.replace(/\n\n$/, "\n")))
    case "empty-image":
      return mapFinal((text) => text.replaceAll(/"b64_json":"[^"]*"/g, '"b64_json":""'))
    case "image-url":
      return mapFinal((text) => text.replaceAll(/"b64_json":"[^"]*"/g, `"url":"${url}"`))
    case "no-metadata":
      return mapText(withoutMetadata)
    case "empty-error":
      return mapText(withEmptyError)
    case "wrong-types":
      return mapText(withWrongTypes)
    default:
      return mapText((text) => text)
  }
}
