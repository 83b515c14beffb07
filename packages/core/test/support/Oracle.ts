/**
 * What a reply means, said by other means than the library's: `eventsource-parser`, `JSON.parse` and `Buffer`.
 */
import { createParser } from "eventsource-parser"
import * as Predicate from "effect/Predicate"

/** What came of a reply: its pictures, each as plain data, and how it ended. */
export interface Outcome {
  readonly pictures: ReadonlyArray<object>
  readonly end: string
}

/** The rule of base64: the standard alphabet, ASCII white space, the padding whole or missing. */
const bytesOf = (text: unknown): string | undefined => {
  if (!Predicate.isString(text)) return undefined
  const dense = text.replace(/[ \t\n\f\r]/g, "")
  const bare = dense.replace(/={0,2}$/, "")
  const isPadded = bare.length !== dense.length
  if (!/^[A-Za-z0-9+/]*$/.test(bare) || bare.length % 4 === 1 || (isPadded && dense.length % 4 !== 0)) return undefined
  return Buffer.from(bare, "base64").toString("hex")
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

const orAbsent = (value: unknown): unknown => value ?? undefined

const settingsOf = (members: Members) => ({
  background: orAbsent(members["background"]),
  quality: orAbsent(members["quality"]),
  size: orAbsent(members["size"])
})

const usageOf = ({ usage }: Members) => (isMembers(usage) ? orAbsent(usage["total_tokens"]) : undefined)

const pictureOf = (type: string, members: Members): object | undefined => {
  const bytes = bytesOf(members["b64_json"])
  if (bytes === undefined) return undefined
  const common = {
    bytes,
    format: orAbsent(members["output_format"]),
    at: orAbsent(members["created_at"]),
    ...settingsOf(members)
  }
  return type === "image_generation.completed"
    ? { tag: "Completed", ...common, prompt: orAbsent(members["revised_prompt"]), tokens: usageOf(members) }
    : { tag: "PartialImage", ...common, index: members["partial_image_index"] }
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

/** What an event stream means. */
export const streamOutcome = (bytes: Uint8Array): Outcome => {
  const events: Array<{ readonly name: string; readonly data: string }> = []
  const parser = createParser({ onEvent: ({ data, event = "" }) => events.push({ name: event, data }) })
  // The comment ends a last line whose end can be half of one.
  parser.feed(`${new TextDecoder().decode(bytes)}:\n`)
  const pictures: Array<object> = []
  for (const { data, name } of events) {
    const text = data.trim()
    if (!wanted.has(name) || text === "") continue
    if (text === "[DONE]") return { pictures, end: "IncompleteStreamError" }
    const value = parse(text)
    const said = isMembers(value) ? value["type"] : undefined
    const type = Predicate.isString(said) && said !== "" ? said : name
    if (type === "error" || name === "error" || (isMembers(value) && value["error"] != null)) {
      return { pictures, end: reasonOf(value) }
    }
    if (value === undefined) return { pictures, end: "InvalidResponseError" }
    if (!known.has(type)) continue
    const picture = isMembers(value) ? pictureOf(type, value) : undefined
    if (picture === undefined) return { pictures, end: "InvalidResponseError" }
    pictures.push(picture)
    if (type === "image_generation.completed") return { pictures, end: "Completed" }
  }
  return { pictures, end: "IncompleteStreamError" }
}

/** The value that ends first: what follows it belongs to nobody. */
const firstValue = (text: string): unknown => {
  for (let end = text.indexOf("}"); end !== -1; end = text.indexOf("}", end + 1)) {
    const value = parse(text.slice(0, end + 1))
    if (value !== undefined) return value
  }
  return undefined
}

/** What a JSON reply means. */
export const responseOutcome = (bytes: Uint8Array): Outcome => {
  const value = firstValue(new TextDecoder().decode(bytes))
  const data = isMembers(value) ? value["data"] : undefined
  const invalid = { pictures: [], end: "InvalidResponseError" }
  if (!isMembers(value) || !Array.isArray(data) || data.length === 0) return invalid
  const pictures: Array<object> = []
  for (const item of data) {
    const image = isMembers(item) ? bytesOf(item["b64_json"]) : undefined
    if (!isMembers(item) || image === undefined) return invalid
    const format = orAbsent(item["output_format"]) ?? orAbsent(value["output_format"])
    pictures.push({ bytes: image, format, prompt: orAbsent(item["revised_prompt"]) })
  }
  const tokens = usageOf(value)
  return { pictures: [...pictures, { at: value["created"], ...settingsOf(value), tokens }], end: "Response" }
}
