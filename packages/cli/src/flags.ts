/**
 * Kinds of flags that the commands share.
 */
import { Flag } from "effect/cli"
import * as Duration from "effect/Duration"
import * as Option from "effect/Option"
import * as Schema from "effect/Schema"

/** A flag that may be left out, and is undefined then. */
export const given = <A>(flag: Flag.Flag<A>, description: string): Flag.Flag<A | undefined> =>
  flag.pipe(Flag.withDescription(description), Flag.optional, Flag.map(Option.getOrUndefined))

const parseDuration = Schema.decodeUnknownOption(Schema.DurationFromString)

/** Seconds, or a number with its unit: `90`, `1.5`, `"5 minutes"`. */
export const duration = (name: string): Flag.Flag<Duration.Duration> =>
  Flag.String(name).pipe(
    Flag.withMetavar("SECONDS"),
    Flag.filterMap(
      (text) =>
        parseDuration(/^\d+(\.\d+)?$/.test(text) ? `${text} seconds` : text).pipe(Option.filter(Duration.isPositive)),
      (text) => `Expected seconds, or a number with its unit such as "5 minutes", and got "${text}"`
    )
  )
