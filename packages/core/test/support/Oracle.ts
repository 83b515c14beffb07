/**
 * Decodes replies with other tools than the library: `eventsource-parser`, `JSON.parse` and `Buffer`. Tests compare the
 * library's results with these.
 */
import { createParser } from "eventsource-parser"
import * as Predicate from "effect/Predicate"

/**
 * What a reply means: its images as plain data, and how it ended, such as `Completed` or the tag of the reason. If
 * `end` is `Response`, the last item of `pictures` has the other members of the reply.
 */
export interface Outcome {
  readonly pictures: ReadonlyArray<object>
  readonly end: string
}

/**
 * Decodes base64 and returns hex digits. Allows only the standard alphabet and ASCII white space. Padding may be
 * complete or absent.
 */
const bytesOf = (text: unknown): string | undefined => {
  if (!Predicate.isString(text)) return undefined
  const dense = text.replace(/[ \t\n\f\r]/g, "")
  const bare = dense.replace(/={0,2}$/, "")
  const isPadded = bare.length !== dense.length
  if (!/^[A-Za-z0-9+/]*$/.test(bare) || bare.length % 4 === 1 || (isPadded && dense.length % 4 !== 0)) return undefined
  return Buffer.from(bare, "base64").toString("hex") || undefined
}

type Members = Readonly<Record<string, unknown>>

const isMembers = (value: unknown): value is Members => Predicate.isObject(value)

const parse = (text: string): unknown => {
  try {
    return JSON.parse(text)
  } catch {
    return undefined
  }
}

/** The value if it is a string. Members of another type count as absent. */
const textOf = (value: unknown) => (Predicate.isString(value) ? value : undefined)

const settingsOf = (members: Members) => ({
  background: textOf(members["background"]),
  quality: textOf(members["quality"]),
  size: textOf(members["size"])
})

const countOf = (value: unknown): number | undefined => {
  const isCount = Predicate.isString(value) ? /^\s*\d+(\.\d+)?\s*$/.test(value) : Predicate.isNumber(value)
  return isCount && Number.isFinite(Number(value)) ? Number(value) : undefined
}

const usageOf = ({ usage }: Members) =>
  isMembers(usage) && countOf(usage["input_tokens"]) !== undefined ? countOf(usage["total_tokens"]) : undefined

const lastSecond = 253_402_300_799

/** Reads a time that is given in seconds, in milliseconds or as a date. Returns it in seconds. */
const timeOf = (value: unknown): number | undefined => {
  if (!Predicate.isNumber(value) && !Predicate.isString(value)) return undefined
  const number = value === "" ? Number.NaN : Number(value)
  const millis = Number.isFinite(number)
    ? Math.round(number > lastSecond ? number : number * 1000)
    : Date.parse(String(value))
  return millis >= 0 && millis <= lastSecond * 1000 ? millis / 1000 : undefined
}

const indexOf = (value: unknown, next: number): number => {
  const index = countOf(value)
  return index !== undefined && Number.isSafeInteger(index) && index >= 0 ? index : next
}

const pictureOf = (type: string, members: Members, next: number): object | undefined => {
  const bytes = bytesOf(members["b64_json"])
  if (bytes === undefined) return undefined
  const common = {
    bytes,
    format: textOf(members["output_format"]),
    at: timeOf(members["created_at"]),
    ...settingsOf(members)
  }
  return type === "image_generation.completed"
    ? { tag: "Completed", ...common, prompt: textOf(members["revised_prompt"]), tokens: usageOf(members) }
    : { tag: "PartialImage", ...common, index: indexOf(members["partial_image_index"], next) }
}

const known = new Set(["image_generation.partial_image", "image_generation.completed"])
const wanted = new Set(["", "message", "error", ...known])

const codes: Record<string, string> = {
  moderation_blocked: "ContentPolicyError",
  rate_limit_exceeded: "RateLimitError"
}

const reasonOf = (value: unknown): string => {
  const error = isMembers(value) && isMembers(value["error"]) ? value["error"] : value
  if (!isMembers(error)) return "InternalServerError"
  return codes[String(error["code"])] ?? codes[String(error["type"])] ?? "InternalServerError"
}

interface Event {
  readonly name: string
  readonly data: string
}

const parseEvents = (text: string): ReadonlyArray<Event> => {
  const events: Array<Event> = []
  createParser({ onEvent: ({ data, event = "" }) => events.push({ name: event, data }) }).feed(text)
  return events
}

/**
 * The events of a stream. The blank line after the last event may be missing if the data of that event is a complete
 * JSON object.
 */
const eventsOf = (bytes: Uint8Array): ReadonlyArray<Event> => {
  const blank = bytes.findIndex((byte) => ![0x09, 0x0a, 0x0d, 0x20].includes(byte))
  // A byte order mark is removed only at the very start of a stream. If a stream starts with white space, the white
  // space is replaced by a comment line, so that the parser does not remove a mark after it.
  const text = blank > 0 ? `:\n${Buffer.from(bytes.subarray(blank)).toString()}` : new TextDecoder().decode(bytes)
  // A carriage return at the end can be half of a line ending, for which the parser would wait. An added comment ends
  // that line.
  const ended = parseEvents(`${text}:\n`)
  const all = parseEvents(`${text}\n\n`)
  return isMembers(parse(all.at(-1)?.data ?? "")) ? all : ended
}

/** Whether a value contains anything but blank strings, null, false and 0. */
const says = (value: unknown): boolean => {
  if (Predicate.isString(value)) return value.trim() !== ""
  return Predicate.isObjectOrArray(value) ? Object.values(value).some(says) : Boolean(value)
}

const isError = (type: string, value: unknown): boolean =>
  type === "error" ||
  (isMembers(value) &&
    (says(value["error"]) || says(value["errors"]) || (/error|fail/i.test(type) && says(value["message"]))))

/** Decodes an event stream as the reply to a call for one image. */
export const streamOutcome = (bytes: Uint8Array): Outcome => {
  const pictures: Array<object> = []
  let isFlawed = false
  let index = -1
  for (const { data, name } of eventsOf(bytes)) {
    const text = data.trim()
    if (text === "") continue
    if (text === "[DONE]") break
    const value = parse(text)
    const said = isMembers(value) ? value["type"] : undefined
    const type = Predicate.isString(said) && said !== "" ? said : name
    if (name === "error" || isError(type, value)) return { pictures, end: reasonOf(value) }
    const isPartial = (value === undefined ? name : type) === "image_generation.partial_image"
    if (value === undefined && wanted.has(name) && !isPartial) return { pictures, end: "InvalidResponseError" }
    if (!known.has(value === undefined ? name : type)) continue
    const picture = isMembers(value) ? pictureOf(type, value, index + 1) : undefined
    if (picture === undefined && !isPartial) return { pictures, end: "InvalidResponseError" }
    if (picture === undefined) isFlawed = true
    else pictures.push(picture)
    if (!isPartial) return { pictures, end: "Completed" }
    if (isMembers(value) && picture !== undefined) index = indexOf(value["partial_image_index"], index + 1)
  }
  return { pictures, end: isFlawed ? "InvalidResponseError" : "IncompleteStreamError" }
}

/** Reads the JSON object at the start of a text, and ignores the rest of the text. */
const firstValue = (text: string): unknown => {
  for (let end = text.indexOf("}"); end !== -1; end = text.indexOf("}", end + 1)) {
    const value = parse(text.slice(0, end + 1))
    if (value !== undefined) return value
  }
  return undefined
}

/**
 * The items of a JSON reply: those of `data`. If the reply itself has an image, and `data` is not a list, the only item
 * is the reply. If `data` is an empty list, the only item is an object with that image.
 */
const itemsOf = (value: Members): unknown => {
  if (bytesOf(value["b64_json"]) === undefined) return value["data"]
  if (!Array.isArray(value["data"])) return [value]
  return value["data"].length > 0 ? value["data"] : [{ b64_json: value["b64_json"] }]
}

/** The time at which every reply arrives, in seconds. */
export const arrivedAt = 42

/** Decodes a JSON reply. White space before it is ignored, and so is a byte order mark there. */
export const responseOutcome = (bytes: Uint8Array): Outcome => {
  const value = firstValue(new TextDecoder().decode(bytes).trimStart())
  const data = isMembers(value) ? itemsOf(value) : undefined
  const invalid = { pictures: [], end: "InvalidResponseError" }
  if (!isMembers(value) || !Array.isArray(data) || data.length === 0) return invalid
  const pictures: Array<object> = []
  for (const item of data) {
    const image = isMembers(item) ? bytesOf(item["b64_json"]) : undefined
    if (!isMembers(item) || image === undefined) return invalid
    const format = textOf(item["output_format"] ?? value["output_format"])
    pictures.push({ bytes: image, format, prompt: textOf(item["revised_prompt"]) })
  }
  const tokens = usageOf(value)
  return {
    pictures: [...pictures, { at: timeOf(value["created"]) ?? arrivedAt, ...settingsOf(value), tokens }],
    end: "Response"
  }
}
