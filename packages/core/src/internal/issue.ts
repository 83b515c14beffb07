/** Describes params and options that break a rule, as data and as messages. */
import * as Predicate from "effect/Predicate"
import * as Result from "effect/Result"
import * as Schema from "effect/Schema"
import { property } from "./property.ts"

/**
 * A param or an option that breaks a rule.
 *
 * @category models
 * @since 0.1.0
 */
export const Issue = Schema.Struct({
  /** The name of the param, option or environment variable, for example `outputFormat` or `headers.x-team`. */
  param: Schema.String,
  /**
   * The refused value, or a description of it: `11`, `"soon"`, `a string`, `40000 characters`. It does not show keys,
   * the values of headers, or the password of a URL.
   */
  given: Schema.String,
  /** The values that are allowed, for example `1 to 10`. */
  allowed: Schema.String
})

/**
 * @category models
 * @since 0.1.0
 */
export type Issue = typeof Issue.Type

/**
 * The issue as a sentence: "n must be 1 to 10 (got 11)". `nameOf` converts the param's name to the one that the reader
 * knows: the name on the wire (`wireNameOf`), or a flag of a command.
 *
 * @category rendering
 * @since 0.1.0
 */
export const renderIssue = (
  { allowed, given, param }: Issue,
  nameOf: (param: string) => string = (name) => name
): string => `${nameOf(param)} must be ${allowed} (got ${given})`

/**
 * All issues in one text, separated by semicolons.
 *
 * @category rendering
 * @since 0.1.0
 */
export const renderIssues = (issues: ReadonlyArray<Issue>, nameOf?: (param: string) => string): string =>
  issues.map((issue) => renderIssue(issue, nameOf)).join("; ")

/** Names the kind of a value, for messages about a wrong type. */
export const kindOf = (value: unknown): string => {
  if (value === undefined) return "nothing"
  if (value === null) return "null"
  if (Number.isNaN(value)) return "NaN"
  if (Array.isArray(value)) return "a list"
  return Predicate.isObject(value) ? "an object" : `a ${typeof value}`
}

/**
 * Describes a value for a message. Numbers and strings are shown, but of a string of over 40 UTF-16 units only the
 * number of its characters. For any other value, its kind is named.
 */
export const show = (value: unknown): string => {
  if (Predicate.isString(value)) return value.length <= 40 ? JSON.stringify(value) : `${countOf(value)} characters`
  return Predicate.isNumber(value) ? String(value) : kindOf(value)
}

/** The number of characters in a text, counted in code points, as the API counts them. */
export const countOf = (text: string): number => {
  let count = 0
  for (const _ of text) count++
  return count
}

/** Reads each of the named members of a value once. Fails if the value is not an object, or if a getter throws. */
export const readMembers = (
  value: unknown,
  names: ReadonlyArray<string>
): Result.Result<Readonly<Record<string, unknown>>, Issue> => {
  const issue = (given: string) => ({ param: "params", given, allowed: "an object" })
  if (!Predicate.isObject(value)) return Result.fail(issue(kindOf(value)))
  return Result.try({
    try: () => Object.fromEntries(names.map((name) => [name, property(value, name)])),
    catch: () => issue("an object with a getter that throws")
  })
}
