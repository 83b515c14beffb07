/** Formats numbers for people. */
import * as ByteSize from "effect/ByteSize"
import * as Duration from "effect/Duration"

/** Formats a time: `4.2 s`, or from a minute on `2m 13s`. */
export const seconds = (millis: number): string =>
  millis < 60_000 ? `${(millis / 1000).toFixed(1)} s` : Duration.format(Duration.seconds(Math.round(millis / 1000)))

/** Formats a number of bytes: `1.9 MB`. */
export const fileSize = (bytes: number): string =>
  ByteSize.format(ByteSize.bytes(bytes), { system: "decimal", precision: 1 })

/** Formats the number of these bytes: `1.9 MB`. */
export const size = (bytes: Uint8Array): string => fileSize(bytes.length)

/** Formats a count: `4,175`. */
export const count = (number: number): string => number.toLocaleString("en-US")
