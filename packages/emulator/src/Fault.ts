/**
 * The faults that the emulator can simulate. Each has a text form for options, the command line and the request header
 * `x-emulator-fault`: its name, then those of these parts that it needs: `@` with a position in bytes, `=` with the
 * main value, `;` with each further option, and ` x` with a number of requests. Examples: `reset-body@50000`,
 * `stall-headers=5s`, `status=503;retry-after=2;form=gradient x2`.
 */
import { GradientError } from "@effect-gradient/core"
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as Option from "effect/Option"
import * as Result from "effect/Result"
import * as Schema from "effect/Schema"
import * as SchemaIssue from "effect/SchemaIssue"
import * as SchemaTransformation from "effect/SchemaTransformation"

const text = (pattern: RegExp, expected: string) =>
  Schema.String.check(Schema.isPattern(pattern, { message: `Expected ${expected}` }))

const integer = (pattern: RegExp, expected: string) =>
  text(pattern, expected).pipe(Schema.decodeTo(Schema.Int, SchemaTransformation.numberFromString))

const Count = integer(/^[1-9]\d*$/, "a number of requests, from 1")
const Amount = integer(/^\d+$/, "a whole number from 0")
const SignedBytes = integer(/^[+-]?\d+$/, "a number of bytes, such as -100 or +100")
const HttpStatus = integer(/^[2-5]\d\d$/, "a status from 200 to 599")
const Seconds = text(/^\d+(\.\d+)?$/, "a number of seconds, such as 2 or 0.5").pipe(
  Schema.decodeTo(Schema.Finite, SchemaTransformation.numberFromString)
)

const millisOf: { readonly [unit: string]: number } = { ms: 1, s: 1000, m: 60_000 }

const Time = text(/^\d+(\.\d+)?(ms|s|m)$/, "a duration, such as 500ms, 5s or 2m").pipe(
  Schema.decodeTo(
    Schema.Duration,
    SchemaTransformation.transform({
      decode: (time) => Duration.millis(Number.parseFloat(time) * (millisOf[time.replace(/[\d.]+/, "")] ?? 1)),
      encode: (duration) => `${Duration.toMillis(duration)}ms`
    })
  )
)

/** An option without a value. */
const Flag = Schema.Literal("").transform(true)

const encodingNames = "gzip|br|zstd|deflate|deflate-raw|identity"
const Encodings = text(
  new RegExp(`^(${encodingNames})(,(${encodingNames}))*$`),
  `one or more of ${encodingNames.replaceAll("|", ", ")}, with commas between them`
)

/**
 * A text in which `%`, `;` and white space are percent-encoded, because an unencoded `;` or white space would end the
 * option. Other characters may be percent-encoded.
 */
const Escaped = text(/^([^%]|%[0-9a-f]{2})*$/i, "text with %25 for %, %3B for ; and %20 for a space").pipe(
  Schema.decodeTo(
    Schema.String,
    SchemaTransformation.transformEffect({
      decode: (escaped) =>
        Result.match(
          Result.try(() => decodeURIComponent(escaped)),
          {
            onSuccess: Effect.succeed,
            onFailure: () => Effect.fail(new SchemaIssue.InvalidValue({ message: "Expected percent-encoded UTF-8" }))
          }
        ),
      encode: (plain) => Effect.succeed(plain.replace(/[%;\s]/g, encodeURIComponent))
    })
  )
)

const fault = <const Tag extends string, const Fields extends Schema.Struct.Fields>(
  tag: Tag,
  summary: string,
  fields: Fields
) => ({
  tag,
  summary,
  schema: Schema.Struct({
    _tag: Schema.Literal(tag),
    ...fields,
    /** The maximum number of requests that the fault affects. Default: no limit. */
    times: Schema.optionalKey(Count)
  })
})

const at = Amount.pipe(Schema.withDecodingDefaultKey(Effect.succeed("0")))

const statusOptions = {
  status: HttpStatus,
  form: Schema.Literals(["openai", "gradient", "html", "empty"]).pipe(
    Schema.withDecodingDefaultKey(Effect.succeed("openai" as const))
  ),
  code: Schema.optionalKey(Schema.String),
  body: Schema.optionalKey(Escaped),
  contentType: Schema.optionalKey(Escaped),
  contentEncoding: Schema.optionalKey(Encodings),
  endless: Schema.optionalKey(Flag),
  retryAfter: Schema.optionalKey(Seconds),
  retryAfterDate: Schema.optionalKey(Time),
  retryAfterMs: Schema.optionalKey(Amount),
  reset: Schema.optionalKey(Time)
}

const errorOptions = { after: Schema.optionalKey(Amount), code: Schema.optionalKey(Schema.String) }

const kinds = [
  fault(
    "refuse",
    "The connection is refused; on a port it is accepted and closed, unless the first fault is refuse, without xN",
    {}
  ),
  fault("not-http", "The reply is not HTTP", {}),
  fault("reset", "The connection is reset before the headers", {}),
  fault("reset-headers", "The connection is reset within the headers", {}),
  fault("reset-body", "The connection is reset after this many bytes of the body, or at its end", { at }),
  fault("stall-headers", "Nothing is sent for this time before the headers", { for: Time }),
  fault("stall-body", "Nothing is sent for this time after this many bytes of the body, or at its end", {
    at,
    for: Time
  }),
  fault("slow", "Only newlines are sent for this time, then the body", { for: Time }),
  fault("status", "A reply with this status is sent instead of the images", statusOptions),
  fault("retired", "The model does not exist: a request for it gets a 404", { model: Escaped }),
  fault("redirect", "The reply is a 307 to the same URL, or to another origin", {
    to: Schema.Literals(["same", "other"])
  }),
  fault("large-head", "An extra header has a value of this many bytes", { bytes: Amount }),
  fault("content-type", "The reply has this content type, or none", { type: Escaped }),
  fault("content-length", "The header content-length is wrong by this many bytes", { by: SignedBytes }),
  fault(
    "content-encoding",
    "The body is encoded with gzip, br, zstd, deflate, deflate-raw or identity, or with several of them: gzip,br",
    { encoding: Encodings }
  ),
  fault("swap-stream", "A request with stream: true gets JSON, and one without it gets an event stream", {}),
  fault("cut-event", "The body ends after this many bytes of the event of the first final image, or of the JSON", {
    at
  }),
  fault("no-blank-line", "The event of the first final image is the last, and no blank line follows it", {}),
  fault("no-completed", "The stream ends without a final image", {}),
  fault("completed-first", "Each final image comes before its partial images", {}),
  fault("error-event", "An error comes instead of the final images", errorOptions),
  fault("empty-error", "Each event with an image, or the JSON, has an empty error object", {}),
  fault("empty-image", "The final images have no bytes", {}),
  fault("image-url", "The final images are URLs instead of base64", {}),
  fault("invalid-base64", "Each image contains a character that is not base64", {}),
  fault("wrong-types", "Times, usage and indexes have wrong types: they are words", {}),
  fault("no-metadata", "Times, usage, settings and indexes are missing", {}),
  fault("endless-event", "The first final image never ends", {}),
  fault("one-byte", "Each byte of the body is sent by itself", {})
] as const

/**
 * How the grammar shows each option: the form of its value, and a summary. An option has no summary if the summary of
 * its fault explains it.
 */
const options = {
  at: { value: "<byte>" },
  for: { value: "<duration>" },
  status: { value: "<200-599>" },
  model: { value: "<model>" },
  to: { value: "same|other" },
  bytes: { value: "<bytes>" },
  type: { value: "<content-type>|none" },
  by: { value: "<+-bytes>" },
  encoding: { value: "<encodings>" },
  form: { value: "openai|gradient|html|empty", summary: "The form of the error. Default: openai" },
  code: { value: "<code>", summary: "The error's code" },
  body: { value: "<text>", summary: "The body, with %25 for %, %20 for a space and %3B for ;" },
  contentType: {
    value: "<content-type>|none",
    summary: "The content type. Default: that of the form, or application/json with ;body"
  },
  contentEncoding: { value: "<encodings>", summary: "Encodes the body, as the fault content-encoding does" },
  endless: { value: "", summary: "The body never ends" },
  retryAfter: {
    value: "<seconds>",
    summary: "The header retry-after. A 503 with it, or one of the next two, is not charged for"
  },
  retryAfterDate: { value: "<duration>", summary: "The header retry-after, as a date this far in the future" },
  retryAfterMs: { value: "<milliseconds>", summary: "The header retry-after-ms" },
  reset: { value: "<duration>", summary: "Rate limit headers say that no request is left for this time" },
  after: { value: "<images>", summary: "How many partial images come before the error. With 0, nothing is charged" }
}

type OptionName = keyof typeof options

const isOption = (name: string): name is OptionName => name in options

/** The main option of each fault that has one. It is required. The text form writes its value after `=`. */
const mainOptions: { readonly [name: string]: OptionName } = {
  "stall-headers": "for",
  "stall-body": "for",
  slow: "for",
  status: "status",
  retired: "model",
  redirect: "to",
  "large-head": "bytes",
  "content-type": "type",
  "content-length": "by",
  "content-encoding": "encoding"
}

type Kind = (typeof kinds)[number]

const byTag: ReadonlyMap<string, Kind> = new Map(kinds.map((kind) => [kind.tag, kind]))

const Values = Schema.Union(kinds.map(({ schema }) => schema))

/**
 * A decoded fault. `at` and `form` have their defaults if they were not given.
 *
 * @category models
 * @since 0.1.0
 */
export type Fault = typeof Values.Type

/**
 * The names of all faults.
 *
 * @category constants
 * @since 0.1.0
 */
export const names: ReadonlyArray<Fault["_tag"]> = kinds.map(({ tag }) => tag)

type Defaulted = "at" | "form"
type DurationField = "for" | "retryAfterDate" | "reset"

type InputOf<F> = F extends Fault
  ? { readonly [K in keyof F as K extends Defaulted ? never : K]: K extends DurationField ? Duration.Input : F[K] } & {
      readonly [K in Extract<keyof F, Defaulted>]?: F[K]
    }
  : never

/**
 * A fault as users write it: in its text form, or as an object. An object may omit the optional fields, and those that
 * have a default.
 *
 * @category models
 * @since 0.1.0
 */
export type Input = string | InputOf<Fault>

type Texts = { readonly [option: string]: string }

const kebab = (name: string) => name.replace(/[A-Z]/g, (letter) => `-${letter.toLowerCase()}`)
const camel = (name: string) => name.replace(/-([a-z])/g, (_, letter: string) => letter.toUpperCase())

const shape = /^([a-z0-9-]+)(?:@([^=;\s]*))?(?:=([^;\s]*))?((?:;[^;\s]+)*)(?:\s+x(\S+))?$/

const unknown = (input: string) => `"${input}" is not a fault. A fault begins with one of ${names.join(", ")}`

/** Splits the text form of a fault into its name and one text for each option. Does not check the values. */
const split = (input: string): Result.Result<Texts, string> => {
  const name = input.trim().split(/[^a-z0-9-]/, 1)[0] ?? ""
  if (!byTag.has(name)) return Result.fail(unknown(input))
  const found = shape.exec(input.trim())
  if (found === null) {
    return Result.fail(
      `"${input}" cannot be parsed. Write ${name}@BYTE=VALUE;OPTION=VALUE xN, with only the parts that this fault needs`
    )
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
  return Result.succeed(texts)
}

type Value = Exclude<Input, string>

const asDuration = (input: Duration.Input) => Option.getOrElse(Duration.fromInput(input), () => input)

/**
 * Returns the options of a fault that was given as an object. Options that are undefined are left out, and each
 * duration that Effect can read becomes a `Duration`.
 */
const optionsOf = (value: Value): { readonly [option: string]: unknown } => ({
  ...Object.fromEntries(Object.entries(value).filter(([, option]) => option !== undefined)),
  ...("for" in value && value.for !== undefined ? { for: asDuration(value.for) } : {}),
  ...("reset" in value && value.reset !== undefined ? { reset: asDuration(value.reset) } : {}),
  ...("retryAfterDate" in value && value.retryAfterDate !== undefined
    ? { retryAfterDate: asDuration(value.retryAfterDate) }
    : {})
})

/** Returns an error message if an option does not belong to the fault, or if the fault's main option is missing. */
const checkNames = (kind: Kind, values: { readonly [option: string]: unknown }): string | undefined => {
  const name = kind.tag
  const main = mainOptions[name]
  const foreign = Object.keys(values).find((option) => !Object.hasOwn(kind.schema.fields, option))
  if (foreign !== undefined) return `${name} has no ${foreign === "value" ? "=VALUE" : `option "${kebab(foreign)}"`}`
  if (main === undefined || main in values) return undefined
  const { value } = options[main]
  return `${name} needs a value: write ${name}=${value}`
}

const format = SchemaIssue.makeFormatterStandardSchemaV1()

/** Returns the first error of decoding as a message with the names of the fault and the option. */
const messageOf = (name: string, { issue }: Schema.SchemaError): string => {
  const { message = "cannot be decoded", path = [] } = format(issue).issues[0] ?? {}
  const [option] = path.map((part) => kebab(String(typeof part === "object" ? part.key : part)))
  return `${name}: ${option ?? ""}: ${message}`
}

const decodeFault = Schema.decodeUnknownResult(Values)
const encodeFault = Schema.encodeUnknownResult(Values)

const fromTexts = (texts: Texts): Result.Result<Fault, string> => {
  const { _tag: name = "" } = texts
  const kind = byTag.get(name)
  if (kind === undefined) return Result.fail(unknown(name))
  const problem = checkNames(kind, texts)
  return problem === undefined
    ? Result.mapError(decodeFault(texts), (error) => messageOf(name, error))
    : Result.fail(problem)
}

const fromText = (input: string): Result.Result<Fault, string> => Result.flatMap(split(input), fromTexts)

/**
 * Decodes a fault that was given as an object. Each option is first encoded as its text, so that the values pass the
 * same checks as those of the text form.
 */
const fromValue = (value: Value): Result.Result<Fault, string> => {
  const values = optionsOf(value)
  const kind = byTag.get(value._tag)
  if (kind === undefined) return Result.fail(unknown(value._tag))
  const problem = checkNames(kind, values)
  if (problem !== undefined) return Result.fail(problem)
  const defaults = {
    ...("at" in kind.schema.fields ? { at: 0 } : {}),
    ...("form" in kind.schema.fields ? { form: "openai" } : {})
  }
  return encodeFault({ ...defaults, ...values }).pipe(
    Result.flatMap(decodeFault),
    Result.mapError((error) => messageOf(value._tag, error))
  )
}

/**
 * Decodes a fault, and fills in the default of `at` or `form`. If the fault cannot be decoded, the error says what is
 * wrong.
 *
 * @category constructors
 * @since 0.1.0
 */
export const make = (input: Input): Effect.Effect<Fault, GradientError.GradientError> =>
  Effect.fromResult(
    Result.mapError(typeof input === "string" ? fromText(input) : fromValue(input), (description) =>
      GradientError.fromReason(new GradientError.InvalidParamsError({ description }))
    )
  )

/** Returns the text form of a fault with these options. */
const join = ({ _tag = "", at: byte, times, ...rest }: Texts): string => {
  const main = mainOptions[_tag]
  const parts = Object.entries(rest).map(([key, value]) =>
    key === main ? `=${value}` : `;${kebab(key)}${value === "" ? "" : `=${value}`}`
  )
  // Puts the main option (`=`) before all other options (`;`), as the grammar requires.
  const ordered = parts.toSorted((a, b) => Number(a.startsWith(";")) - Number(b.startsWith(";")))
  return `${_tag}${byte === undefined ? "" : `@${byte}`}${ordered.join("")}${times === undefined ? "" : ` x${times}`}`
}

/**
 * The header in which a request for images chooses its own fault, if `allowFaultHeader` is set.
 *
 * @category constants
 * @since 0.1.0
 */
export const headerName = "x-emulator-fault"

/**
 * The codec of a fault's text form. If the name of a fault is unknown, the error lists all names.
 *
 * @category codecs
 * @since 0.1.0
 */
export const FaultFromString = Schema.String.pipe(
  Schema.decodeTo(
    Schema.toType(Values),
    SchemaTransformation.transformEffect({
      decode: (input) =>
        Effect.fromResult(Result.mapError(fromText(input), (message) => new SchemaIssue.InvalidValue({ message }))),
      encode: (value) =>
        Effect.map(
          Effect.mapError(Schema.encodeEffect(Values)(value), ({ issue }) => issue),
          join
        )
    })
  )
)

/** Returns the lines of the grammar about a fault and its options. */
const grammarOf = ({ schema, summary, tag }: Kind): ReadonlyArray<readonly [usage: string, summary: string]> => {
  const main = mainOptions[tag]
  const further = Object.keys(schema.fields)
    .filter(isOption)
    .filter((option) => option !== main && option !== "at")
  const usage = `${tag}${"at" in schema.fields ? "[@<byte>]" : ""}${main === undefined ? "" : `=${options[main].value}`}`
  return [
    [usage, summary],
    ...further.map((option): readonly [string, string] => {
      const { summary: what = "", value }: { readonly value: string; readonly summary?: string } = options[option]
      return [`  ;${kebab(option)}${value === "" ? "" : `=${value}`}`, what]
    })
  ]
}

/** The column of the grammar in which the summaries begin. */
const summaryColumn = 36

/**
 * The grammar of the text form, for a help text: each fault, and each of its options after `;`, with a summary. The
 * part ` xN`, which every fault can have, is not in it.
 *
 * @category accessors
 * @since 0.1.0
 */
export const grammar: string = kinds
  .flatMap(grammarOf)
  .map(([usage, what]) =>
    usage.length < summaryColumn
      ? `${usage.padEnd(summaryColumn)}${what}`
      : `${usage}\n${" ".repeat(summaryColumn)}${what}`
  )
  .join("\n")
