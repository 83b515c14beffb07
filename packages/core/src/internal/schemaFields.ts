/**
 * Schemas for the fields of requests and replies: fields that may be absent or null, suggested values, times and
 * numbers.
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

/**
 * A field that JSON may omit or have as null. In both cases, the field is decoded as absent. An absent field is never
 * encoded.
 */
export const optional = <S extends Schema.Top>(schema: S) =>
  Schema.optional(Schema.NullOr(schema)).pipe(
    Schema.decodeTo(Schema.optional(Schema.toType(schema)), absence<S["Type"]>())
  )

/** A field of a request. If it is undefined, it is not sent. A null in a request's body is decoded as absent. */
export const sendable = <S extends Schema.Top>(schema: S, description?: string) =>
  Schema.optionalKey(Schema.NullOr(schema).annotate({ description })).pipe(
    Schema.decodeTo(Schema.optional(Schema.toType(schema)), absence<S["Type"]>())
  )

/**
 * A field of a request for which the API does not accept null. If the caller sets it to undefined, the field is not
 * sent.
 */
export const sendableNonNull = <S extends Schema.Top>(schema: S) =>
  Schema.optionalKey(schema).pipe(Schema.decodeTo(Schema.optional(Schema.toType(schema)), absence<S["Type"]>()))

/** A field that accepts any string. The editor suggests the known values, but the service may add others. */
export const suggest = <Known extends string>(): Schema.Codec<Known | (string & {}), string> => Schema.String

const lastSecond = 253_402_300_799 // 9999-12-31T23:59:59Z, the last time that is accepted

/**
 * Converts a time to milliseconds since 1970. The time is a Unix time in seconds or milliseconds, as a number or as
 * text, or an ISO date.
 */
const millisOf = (time: number | string): number => {
  const number = Number(time === "" ? Number.NaN : time)
  if (Number.isFinite(number)) return Math.round(number > lastSecond ? number : number * 1000)
  return Date.parse(String(time))
}

const isTime = (time: number | string): boolean => {
  const millis = millisOf(time)
  return millis >= 0 && millis <= lastSecond * 1000
}

/**
 * A `DateTime.Utc`, encoded as Unix seconds. Unix milliseconds, numbers as strings, and ISO dates can be decoded too.
 */
export const UnixSeconds = Schema.Union([Schema.Finite, Schema.String])
  .check(Schema.makeFilter(isTime, { expected: "a time" }))
  .pipe(
    Schema.decodeTo(Schema.DateTimeUtc, {
      decode: SchemaGetter.transform((time) => DateTime.makeUnsafe(millisOf(time))),
      encode: SchemaGetter.transform((time) => Math.floor(DateTime.toEpochMillis(time) / 1000))
    })
  )

/**
 * A number of tokens, 0 or more. It can have a fraction. Digits in a string, such as `"12"` or `"1.5"`, can be
 * decoded too.
 */
export const Count = Schema.Union([Schema.Finite, Schema.String.check(Schema.isPattern(/^\s*\d+(\.\d+)?\s*$/))]).pipe(
  Schema.decodeTo(Schema.Finite.check(Schema.isGreaterThanOrEqualTo(0)), {
    decode: SchemaGetter.transform(Number),
    encode: SchemaGetter.transform((count: number): number | string => count)
  })
)
