/**
 * How fields of the wire are declared: what may be absent or null, what is suggested and not enforced, and times.
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

const lastSecond = 253_402_300_799 // 9999-12-31T23:59:59Z: beyond the range, making a DateTime would be a defect

/** Unix seconds on the wire, `DateTime.Utc` here. */
export const UnixSeconds = Schema.Finite.check(Schema.isBetween({ minimum: 0, maximum: lastSecond })).pipe(
  Schema.decodeTo(Schema.DateTimeUtc, {
    decode: SchemaGetter.transform((seconds) => DateTime.makeUnsafe(seconds * 1000)),
    encode: SchemaGetter.transform((time) => Math.floor(DateTime.toEpochMillis(time) / 1000))
  })
)
