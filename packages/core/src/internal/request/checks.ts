/**
 * Checks of single options of a layer or a call. Types are checked too, because the caller may use plain JavaScript.
 */
import * as Duration from "effect/Duration"
import * as Option from "effect/Option"
import * as Predicate from "effect/Predicate"
import * as Result from "effect/Result"
import * as Schedule from "effect/Schedule"
import * as RetryPolicy from "../../RetryPolicy.ts"
import { type Issue, kindOf, show } from "../issue.ts"
import { type Checked, refuse } from "./checked.ts"
import type { WaitingOptions } from "./options.ts"

/** Checks that an option is a duration above 0. If the option is undefined, the default `otherwise` is returned. */
export const duration = (
  param: string,
  value: Duration.Input | undefined,
  otherwise: Duration.Duration
): Checked<Duration.Duration> => {
  if (value === undefined) return Result.succeed(otherwise)
  const parsed = Duration.fromInput(value)
  if (Option.isSome(parsed) && Duration.toMillis(parsed.value) > 0) return Result.succeed(parsed.value)
  const given = Option.isSome(parsed) && Predicate.isObject(value) ? Duration.format(parsed.value) : show(value)
  return refuse(param, 'a duration above 0, such as "90 seconds"', given)
}

/** Checks that an option is an integer of at least 1, or undefined. */
export const positiveInteger = (param: string, value: number | undefined): Checked<number | undefined> =>
  value === undefined || (Number.isSafeInteger(value) && value > 0)
    ? Result.succeed(value)
    : refuse(param, "an integer of at least 1", show(value))

/**
 * Checks that an option is one of the allowed values. If the option is undefined, the default `otherwise` is returned.
 */
export const oneOf = <A extends string>(
  param: string,
  value: A | undefined,
  allowed: ReadonlyArray<A>,
  otherwise: A
): Checked<A> =>
  value === undefined || allowed.includes(value)
    ? Result.succeed(value ?? otherwise)
    : refuse(param, allowed.map((one) => JSON.stringify(one)).join(" or "), show(value))

const isPolicy = (value: object): value is RetryPolicy.RetryPolicy =>
  "while" in value && Predicate.isFunction(value.while) && "schedule" in value && Schedule.isSchedule(value.schedule)

export const retryPolicy = (
  value: WaitingOptions["retry"],
  otherwise: RetryPolicy.RetryPolicy
): Checked<RetryPolicy.RetryPolicy> => {
  if (value === undefined) return Result.succeed(otherwise)
  if (Predicate.isObjectOrArray(value) && (Schedule.isSchedule(value) || isPolicy(value))) {
    return Result.succeed(RetryPolicy.make(value))
  }
  return refuse("retry", "a RetryPolicy or a Schedule", show(value))
}

const isHeaderName = /^[!#$%&'*+.^_`|~0-9a-z-]+$/i
const isHeaderValue = /^[\t\x20-\x7e\x80-\xff]*$/

/** Whether a header can contain this text. */
export const isCarriable = (text: string): boolean => isHeaderValue.test(text)

/** The issue for a text that no header can contain. The issue does not show the text, because it may be secret. */
export const uncarriable = (param: string) => ({
  param,
  given: "other characters",
  allowed: "made of characters that are allowed in a header"
})

/** The issue for a header that breaks a rule. The value `null` is allowed, because it removes the header. */
const headerIssue = (name: string, value: unknown): Issue | undefined => {
  const param = `headers.${name}`
  if (!isHeaderName.test(name)) {
    return { ...uncarriable(param), allowed: "named with characters that are allowed in a header's name" }
  }
  if (value === null || value === undefined) return undefined
  if (!Predicate.isString(value)) return { param, given: kindOf(value), allowed: "a string" }
  return isCarriable(value) ? undefined : uncarriable(param)
}

/**
 * Checks the headers in `added`, and adds them to `base` with their names in lower case. The value `null` removes the
 * header of that name from `base`.
 */
export const headers = (
  base: Readonly<Record<string, string>>,
  added: WaitingOptions["headers"]
): Checked<Readonly<Record<string, string>>> => {
  const given: unknown = added ?? {}
  if (!Predicate.isObject(given)) return refuse("headers", "an object", kindOf(given))
  const entries = Object.entries(added ?? {})
  const issues = entries.flatMap(([name, value]) => headerIssue(name, value) ?? [])
  if (issues.length > 0) return Result.fail(issues)
  const merged = new Map(Object.entries(base))
  for (const [name, value] of entries) {
    if (value === null) merged.delete(name.toLowerCase())
    else if (value !== undefined) merged.set(name.toLowerCase(), value)
  }
  return Result.succeed(Object.fromEntries(merged))
}
