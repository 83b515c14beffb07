/**
 * Kinds of flags that the commands share.
 */
import { Flag } from "effect/cli"
import * as Duration from "effect/Duration"
import * as Option from "effect/Option"

/** A flag that may be left out, and is undefined then. */
export const given = <A>(flag: Flag.Flag<A>, description: string): Flag.Flag<A | undefined> =>
  flag.pipe(Flag.withDescription(description), Flag.optional, Flag.map(Option.getOrUndefined))

/** A flag that is there or not. */
export const yes = (name: string, description: string): Flag.Flag<boolean> =>
  Flag.Boolean(name).pipe(Flag.withDescription(description), Flag.withDefault(false))

const parseDuration = (text: string): Option.Option<Duration.Duration> => {
  const [, amount, unit = "s"] = /^(\d+(?:\.\d+)?)(ms|s|m)?$/.exec(text) ?? []
  if (amount === undefined) return Option.none()
  return Option.some(Duration.millis(Number(amount) * (unit === "ms" ? 1 : unit === "s" ? 1000 : 60_000)))
}

/** Seconds, or a number with its unit: `90`, `1.5s`, `500ms`, `5m`. */
export const duration = (name: string): Flag.Flag<Duration.Duration> =>
  Flag.String(name).pipe(
    Flag.withMetavar("TIME"),
    Flag.filterMap(parseDuration, () => "Expected seconds, or a number with its unit: 90, 1.5s, 500ms, 5m")
  )
