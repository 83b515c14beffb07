/** The kinds of flags that several commands use, and the function that puts the names of flags into an error. */
import { GradientConfig, GradientError, ImageGenerateParams } from "@effect-gradient/core"
import { Flag } from "effect/cli"
import * as Config from "effect/Config"
import * as Duration from "effect/Duration"
import * as Option from "effect/Option"

/** In an error about invalid params, replaces these params by their flags: `outputFormat` by `--output-format`. */
export const inFlags = (error: GradientError.GradientError, params: ReadonlyArray<string>) => {
  const { reason } = error
  if (reason._tag !== "InvalidParamsError" || reason.issues.length === 0) return error
  const flagOf = (param: string) =>
    params.includes(param) ? `--${param.replace(/[A-Z]/g, (letter) => `-${letter.toLowerCase()}`)}` : param
  const issues = reason.issues.map((issue) => ({ ...issue, param: flagOf(issue.param) }))
  const description = ImageGenerateParams.renderIssues(issues)
  return GradientError.fromReason(new GradientError.InvalidParamsError({ issues, description }), error.attempts)
}

/** Adds a description to a flag, and makes it optional: its value is `undefined` if it is absent. */
export const given = <A>(flag: Flag.Flag<A>, description: string): Flag.Flag<A | undefined> =>
  flag.pipe(Flag.withDescription(description), Flag.optional, Flag.map(Option.getOrUndefined))

/** A flag that is true if it is given, and false by default. */
export const yes = (name: string, description: string): Flag.Flag<boolean> =>
  Flag.Boolean(name).pipe(Flag.withDescription(description), Flag.withDefault(false))

export const baseUrl = given(
  Flag.String("base-url"),
  `The base URL of the service. Default: GRADIENT_BASE_URL, else the host in GRADIENT_INFERENCE_ENDPOINT, else ${GradientConfig.defaultBaseUrl}`
)

const units: Readonly<Record<string, number>> = { ms: 1, s: 1000, m: 60_000, h: 3_600_000, d: 86_400_000 }

const parseDuration = (text: string): Option.Option<Duration.Duration> => {
  const [, amount, unit = "s"] = /^(\d+(?:\.\d+)?)(ms|s|m|h|d)?$/.exec(text) ?? []
  if (amount === undefined) return Option.none()
  return Option.some(Duration.millis(Number(amount) * (units[unit] ?? 0)))
}

const isDuration = (flag: Flag.Flag<string>): Flag.Flag<Duration.Duration> =>
  flag.pipe(
    Flag.withMetavar("TIME"),
    Flag.filterMap(parseDuration, () => "Expected seconds, or a number with its unit: 90, 1.5s, 500ms, 5m, 1h, 30d")
  )

/** A flag for a duration: seconds, or a number with its unit: `90`, `1.5s`, `500ms`, `5m`, `1h`, `30d`. */
export const duration = (name: string): Flag.Flag<Duration.Duration> => isDuration(Flag.String(name))

/**
 * An optional flag. If the flag is absent, the environment variable is used; if both are absent, the value is
 * `undefined`.
 */
export const orVariable = <A>(
  name: string,
  variable: string,
  description: string,
  parse: (flag: Flag.Flag<string>) => Flag.Flag<A>
): Flag.Flag<A | undefined> =>
  given(parse(Flag.withFallbackConfig(Flag.String(name), Config.String(variable))), `${description} (${variable})`)

/** Fails if the value of the flag is empty or only white space. */
export const text = (flag: Flag.Flag<string>): Flag.Flag<string> =>
  Flag.filter(
    flag,
    (value) => value.trim() !== "",
    () => "Expected some text"
  )

/** Reads the value of a flag as a list: items that are separated by commas, without empty ones. */
export const list = (flag: Flag.Flag<string>): Flag.Flag<ReadonlyArray<string>> =>
  flag.pipe(
    Flag.withMetavar("LIST"),
    Flag.map((value) => value.split(",").map((item) => item.trim())),
    Flag.map((items) => items.filter((item) => item !== ""))
  )

/** Reads the value of a flag as a list, and fails if the list is empty. */
export const items = (flag: Flag.Flag<string>): Flag.Flag<ReadonlyArray<string>> =>
  Flag.filter(
    list(flag),
    ({ length }) => length > 0,
    () => "Expected at least one, separated by commas"
  )

/** Reads the value of a flag as a whole number from `minimum` to `maximum`. */
export const whole =
  (minimum: number, maximum: number) =>
  (flag: Flag.Flag<string>): Flag.Flag<number> =>
    flag.pipe(
      Flag.withMetavar("NUMBER"),
      Flag.filterMap(
        (value) => {
          const number = /^\d+$/.test(value) ? Number(value) : Number.NaN
          return number >= minimum && number <= maximum ? Option.some(number) : Option.none()
        },
        () => `Expected a whole number from ${minimum} to ${maximum}`
      )
    )

/** Reads the value of a flag as a duration, for use with `orVariable`. */
export const time = isDuration
