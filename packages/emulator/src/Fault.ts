/**
 * What can go wrong on the way to a picture, as small values. Each has a text form, which the command line and the
 * request header `x-emulator-fault` share: a name, then `@` and a byte, `=` and the main value, `;` and further options,
 * and how many requests it meets: `reset-body@50000`, `stall-headers=5s`, `status=503;retry-after=2;form=gradient x2`.
 */
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as Schema from "effect/Schema"
import * as SchemaIssue from "effect/SchemaIssue"
import * as SchemaTransformation from "effect/SchemaTransformation"

const whole = (pattern: RegExp, expected: string) =>
  Schema.String.check(Schema.isPattern(pattern, { message: `Expected ${expected}` })).pipe(
    Schema.decodeTo(Schema.Int, SchemaTransformation.numberFromString)
  )

const Count = whole(/^[1-9]\d*$/, "a number of requests, from 1")
const Amount = whole(/^\d+$/, "a whole number from 0")
const Difference = whole(/^[+-]?\d+$/, "a number of bytes, such as -100 or +100")
const Status = whole(/^[2-5]\d\d$/, "a status from 200 to 599")

const millisOf: { readonly [unit: string]: number } = { ms: 1, s: 1000, m: 60_000 }

const Time = Schema.String.check(
  Schema.isPattern(/^\d+(\.\d+)?(ms|s|m)$/, { message: "Expected a time, such as 500ms, 5s or 2m" })
).pipe(
  Schema.decodeTo(
    Schema.Duration,
    SchemaTransformation.transform({
      decode: (text) => Duration.millis(Number.parseFloat(text) * (millisOf[text.replace(/[\d.]+/, "")] ?? 1)),
      encode: (duration) => `${Duration.toMillis(duration)}ms`
    })
  )
)

/** An option that is there or not; its text has no value. */
const Flag = Schema.Literal("").transform(true)

const fault = <const Tag extends string, const Fields extends Schema.Struct.Fields>(tag: Tag, fields: Fields) =>
  Schema.Struct({
    _tag: Schema.Literal(tag),
    ...fields,
    /** How many requests it meets, the first ones. All, where it is absent. */
    times: Schema.optionalKey(Count)
  })

const at = Amount.pipe(Schema.withDecodingDefaultKey(Effect.succeed("0")))

const kinds = [
  /** No connection: without `times` nobody listens, else it is closed before the request is read. */
  fault("refuse", {}),
  /** Reset after the request, before the headers of the reply. */
  fault("reset", {}),
  /** Reset within the headers. */
  fault("reset-headers", {}),
  /** Reset within the body, once this many bytes of it are sent. */
  fault("reset-body", { at }),
  /** Nothing for a time, before the headers. */
  fault("stall-headers", { for: Time }),
  /** Nothing for a time, within the body. */
  fault("stall-body", { at, for: Time }),
  /** A reply that is not done before this time, though bytes without meaning keep it alive. */
  fault("slow", { for: Time }),
  /** Another status, in either form of the API, as a proxy's page, or with nothing. */
  fault("status", {
    status: Status,
    form: Schema.Literals(["openai", "gradient", "html", "empty"]).pipe(
      Schema.withDecodingDefaultKey(Effect.succeed("openai" as const))
    ),
    code: Schema.optionalKey(Schema.String),
    /** A body that does not end. */
    endless: Schema.optionalKey(Flag),
    /** Header `retry-after`, in seconds. */
    retryAfter: Schema.optionalKey(Amount),
    /** Header `retry-after`, as a date this far away. */
    retryAfterDate: Schema.optionalKey(Time),
    /** Header `retry-after-ms`. */
    retryAfterMs: Schema.optionalKey(Amount)
  }),
  /** A 307 to the same place, or to another origin. */
  fault("redirect", { to: Schema.Literals(["same", "other"]) }),
  /** The last event, or the whole reply, ends after this many bytes, and the body ends well. */
  fault("cut-event", { at }),
  /** A stream that ends well, without its last event. */
  fault("no-completed", {}),
  /** An error in place of the last event, or after this many pictures; without a stream, a 200 that is an error. */
  fault("error-event", { after: Schema.optionalKey(Amount), code: Schema.optionalKey(Schema.String) }),
  /** The last event comes first. */
  fault("completed-first", {}),
  /** A character within each image's base64 that is none of base64. */
  fault("invalid-base64", {}),
  /** A time that is a word, and usage that is one. */
  fault("wrong-types", {}),
  /** A `content-length` that is this much too large, or too small. */
  fault("content-length", { by: Difference }),
  /** The last event, or the whole reply, has an image that does not end. */
  fault("endless-event", {}),
  /** The body in pieces of one byte. */
  fault("one-byte", {}),
  /** A body in gzip, though nobody accepts it. */
  fault("gzip", {})
] as const

/**
 * What goes wrong. Its encoded side has all values as texts.
 *
 * @category models
 */
export const Fault = Schema.Union(kinds)

/** @category models */
export type Fault = typeof Fault.Type

/** The names of all faults, as their text forms begin. */
export const names: ReadonlyArray<Fault["_tag"]> = kinds.map((kind) => kind.fields._tag.literal)

/** Which option stands after the `=` that follows the name. */
const mainOptions: { readonly [name: string]: string } = {
  "stall-headers": "for",
  "stall-body": "for",
  slow: "for",
  status: "status",
  redirect: "to",
  "content-length": "by"
}

type Texts = { readonly [option: string]: string }

const kebab = (name: string) => name.replace(/[A-Z]/g, (letter) => `-${letter.toLowerCase()}`)
const camel = (name: string) => name.replace(/-([a-z])/g, (_, letter: string) => letter.toUpperCase())

const invalid = (message: string) => Effect.fail(new SchemaIssue.InvalidValue({ message }))

const parts = /^([a-z0-9-]+)(?:@([^=;\s]*))?(?:=([^;\s]*))?((?:;[^;\s]+)*)(?:\s+x(\S+))?$/

const split = (text: string): Effect.Effect<Texts, SchemaIssue.Issue> => {
  const name = text.trim().split(/[^a-z0-9-]/, 1)[0] ?? ""
  const kind = kinds.find((one) => one.fields._tag.literal === name)
  if (kind === undefined) return invalid(`"${text}" is no fault: it begins with one of ${names.join(", ")}`)
  const found = parts.exec(text.trim())
  if (found === null) {
    return invalid(`"${text}" cannot be read: after ${name} may come @BYTE, =VALUE, ;OPTION=VALUE and " xTIMES"`)
  }
  const [, , byte, main, further = "", times] = found
  const texts: Record<string, string> = { _tag: name }
  if (byte !== undefined) texts["at"] = byte
  if (main !== undefined) texts[mainOptions[name] ?? "value"] = main
  for (const option of further.split(";").slice(1)) {
    const [key = "", ...value] = option.split("=")
    texts[camel(key)] = value.join("=")
  }
  if (times !== undefined) texts["times"] = times
  const strange = Object.keys(texts).find((key) => !(key in kind.fields))
  return strange === undefined ? Effect.succeed(texts) : invalid(`${name} takes no "${kebab(strange)}"`)
}

const join = ({ _tag = "", at: byte, times, ...rest }: Texts): string => {
  const main = mainOptions[_tag]
  const options = Object.entries(rest).map(([key, value]) =>
    key === main ? `=${value}` : `;${kebab(key)}${value === "" ? "" : `=${value}`}`
  )
  // The main value stands before the other options.
  const ordered = options.toSorted((a, b) => Number(a.startsWith(";")) - Number(b.startsWith(";")))
  return `${_tag}${byte === undefined ? "" : `@${byte}`}${ordered.join("")}${times === undefined ? "" : ` x${times}`}`
}

/** The request header that names a fault, where that is allowed. */
export const headerName = "x-emulator-fault"

/**
 * The codec of the text form. An unknown fault, option or value is an error that says what is allowed.
 *
 * @category codecs
 */
export const FaultFromString = Schema.String.pipe(
  Schema.decodeTo(
    Schema.Record(Schema.String, Schema.String),
    SchemaTransformation.transformEffect({ decode: split, encode: (texts) => Effect.succeed(join(texts)) })
  ),
  Schema.decodeTo(Fault, SchemaTransformation.passthrough({ strict: false }))
)
