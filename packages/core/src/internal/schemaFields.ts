/**
 * How fields of the wire are declared: what may be absent or null, what is suggested and not enforced, times and numbers.
 */
import * as DateTime from "effect/DateTime"
import * as Option from "effect/Option"
import * as Schema from "effect/Schema"
import * as SchemaGetter from "effect/SchemaGetter"

const absence = <A>() => ({
  decode: SchemaGetter.transformOptional<A | undefined, A | null | undefined>(
    Option.filter((value): value is A => value != null)
  ),
  encode: SchemaGetter.transformOptional<A, A | undefined>(Option.filter((value): value is A => value !== undefined))
})

/** A field that the wire may leave out or send as null; both are read as absent, and absent is never sent. */
export const optional = <S extends Schema.Top>(schema: S) =>
  Schema.optional(Schema.NullOr(schema)).pipe(
    Schema.decodeTo(Schema.optional(Schema.toType(schema)), absence<S["Type"]>())
  )

/** The same for a field of a request: it can be undefined here, and never in what is sent. */
export const sendable = <S extends Schema.Top>(schema: S) =>
  Schema.optionalKey(Schema.NullOr(schema)).pipe(
    Schema.decodeTo(Schema.optional(Schema.toType(schema)), absence<S["Type"]>())
  )

/** The same where the API takes no null. */
export const sendableNonNull = <S extends Schema.Top>(schema: S) =>
  Schema.optionalKey(schema).pipe(Schema.decodeTo(Schema.optional(Schema.toType(schema)), absence<S["Type"]>()))

/** Any string; the known values are there for the editor to suggest, since tomorrow's are not known today. */
export const suggest = <Known extends string>(): Schema.Codec<Known | (string & {}), string> => Schema.String

const lastSecond = 253_402_300_799 // 9999-12-31T23:59:59Z; a DateTime beyond it cannot be made

/** Milliseconds since 1970 from a Unix time in seconds or milliseconds, as a number or text, or from an ISO date. */
const millisOf = (time: number | string): number => {
  const number = Number(time === "" ? Number.NaN : time)
  if (Number.isFinite(number)) return Math.round(number > lastSecond ? number : number * 1000)
  return Date.parse(String(time))
}

const isTime = (time: number | string): boolean => {
  const millis = millisOf(time)
  return millis >= 0 && millis <= lastSecond * 1000
}

/** Unix seconds on the wire, `DateTime.Utc` here. Also read are milliseconds, numbers as text and ISO dates. */
export const UnixSeconds = Schema.Union([Schema.Finite, Schema.String])
  .check(Schema.makeFilter(isTime, { expected: "a time" }))
  .pipe(
    Schema.decodeTo(Schema.DateTimeUtc, {
      decode: SchemaGetter.transform((time) => DateTime.makeUnsafe(millisOf(time))),
      encode: SchemaGetter.transform((time) => Math.floor(DateTime.toEpochMillis(time) / 1000))
    })
  )

/** A number; also read is its text. */
export const Count = Schema.Union([Schema.Finite, Schema.String.check(Schema.isPattern(/^\s*\d+(\.\d+)?\s*$/))]).pipe(
  Schema.decodeTo(Schema.Finite, {
    decode: SchemaGetter.transform(Number),
    encode: SchemaGetter.transform((count: number): number | string => count)
  })
)
