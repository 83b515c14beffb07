/** A reply in frames, either the events of a stream or the whole JSON, and what faults do to their text. */
import * as Effect from "effect/Effect"
import * as Schema from "effect/Schema"
import * as Stream from "effect/Stream"
import type { Fault } from "../../Fault.ts"

export interface Frame {
  readonly kind: "comment" | "partial" | "completed" | "whole"
  readonly text: string
}

const isLast = ({ kind }: Frame): boolean => kind === "completed" || kind === "whole"

type Text = Stream.Stream<string>

/** The frames up to the first final one, which is replaced. */
const instead = (frames: Stream.Stream<Frame>, make: (text: string) => Text): Text =>
  Stream.flatMap(Stream.takeUntil(frames, isLast), (frame) =>
    isLast(frame) ? make(frame.text) : Stream.succeed(frame.text)
  )

const errorText = (code = "server_error"): string =>
  JSON.stringify({
    error: { message: "The emulator fails, as one of its faults asks.", type: "server_error", param: null, code }
  })

/** An error after some images; without a stream it is the whole reply. */
const withError = (frames: Stream.Stream<Frame>, after: number, code: string | undefined, isStream: boolean): Text =>
  isStream
    ? frames.pipe(
        Stream.filter(({ kind }) => kind === "partial"),
        Stream.take(after),
        Stream.map(({ text }) => text),
        Stream.concat(Stream.succeed(`event: error\ndata: ${errorText(code)}\n\n`))
      )
    : Stream.succeed(errorText(code))

const beforeImage = /"b64_json":"[^"]{8}/

/** The text up to the image and a little of it, and then without an end. */
const endless = (text: string): Text => {
  const image = beforeImage.exec(text)
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

/** Replaces the JSON of a frame. */
const mapJson = (text: string, f: (members: { readonly [member: string]: unknown }) => unknown): string =>
  text.replace(/\{.*\}/s, (json) => JSON.stringify(f(decodeMembers(json))))

const withoutMetadata = (text: string): string =>
  isImage(text) ? mapJson(text, ({ b64_json, data, type }) => ({ type, b64_json, data })) : text

const withEmptyError = (text: string): string =>
  isImage(text) ? mapJson(text, (json) => ({ ...json, error: {} })) : text

/** The host does not exist. */
const url = "https://images.emulator.invalid/1.png"

/** The text of the frames as the fault changes it. `partialImages` is `undefined` without a stream. */
export const toText = (
  frames: Stream.Stream<Frame>,
  fault: Fault | undefined,
  partialImages: number | undefined
): Text => {
  const mapText = (f: (text: string) => string) => Stream.map(frames, ({ text }) => f(text))
  const mapLast = (f: (text: string) => string) =>
    Stream.map(frames, (frame) => (isLast(frame) ? f(frame.text) : frame.text))
  switch (fault?._tag) {
    case "cut-event":
      return instead(frames, (text) => Stream.succeed(text.slice(0, fault.at)))
    case "endless-event":
      return instead(frames, endless)
    case "error-event":
      return withError(frames, fault.after ?? partialImages ?? 0, fault.code, partialImages !== undefined)
    case "no-completed":
      return Stream.map(
        Stream.filter(frames, ({ kind }) => kind !== "completed"),
        ({ text }) => text
      )
    case "invalid-base64":
      return mapText((text) => text.replaceAll(new RegExp(beforeImage, "g"), "$&!"))
    case "no-blank-line":
      return instead(frames, (text) => Stream.succeed(text.replace(/\n\n$/, "\n")))
    case "empty-image":
      return mapLast((text) => text.replaceAll(/"b64_json":"[^"]*"/g, '"b64_json":""'))
    case "image-url":
      return mapLast((text) => text.replaceAll(/"b64_json":"[^"]*"/g, `"url":"${url}"`))
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
