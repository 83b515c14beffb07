/**
 * Kinds of flags that the commands share, and the names of flags in messages.
 */
import { GradientConfig, GradientError, ImageGenerateParams } from "@effect-gradient/core"
import { Flag } from "effect/cli"
import * as Duration from "effect/Duration"
import * as Option from "effect/Option"

/** An error that names these params by their flags: `--output-format` for `outputFormat`. */
export const inFlags = (error: GradientError.GradientError, params: ReadonlyArray<string>) => {
  const { reason } = error
  if (reason._tag !== "InvalidParamsError" || reason.issues.length === 0) return error
  const flagOf = (param: string) =>
    params.includes(param) ? `--${param.replace(/[A-Z]/g, (letter) => `-${letter.toLowerCase()}`)}` : param
  const issues = reason.issues.map((issue) => ({ ...issue, param: flagOf(issue.param) }))
  const description = ImageGenerateParams.renderIssues(issues)
  return GradientError.fromReason(new GradientError.InvalidParamsError({ issues, description }), error.attempts)
}

/** A flag that may be left out, and is undefined then. */
export const given = <A>(flag: Flag.Flag<A>, description: string): Flag.Flag<A | undefined> =>
  flag.pipe(Flag.withDescription(description), Flag.optional, Flag.map(Option.getOrUndefined))

/** A flag that is there or not. */
export const yes = (name: string, description: string): Flag.Flag<boolean> =>
  Flag.Boolean(name).pipe(Flag.withDescription(description), Flag.withDefault(false))

/** The base URL of the service, for every command that asks it. */
export const baseUrl = given(
  Flag.String("base-url"),
  `Default: GRADIENT_BASE_URL, else ${GradientConfig.defaultBaseUrl}`
)

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
