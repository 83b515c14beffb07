/**
 * Broken rules of params and options as data, and their messages.
 */
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
  /** The name of the param or of the option: `outputFormat`, `headers.x-team`. */
  param: Schema.String,
  /** The value or a description of it: `11`, `"soon"`, `a string`, `40000 characters`. Never a secret. */
  given: Schema.String,
  /** The values that are allowed: `1 to 10`. */
  allowed: Schema.String
})

/**
 * @category models
 * @since 0.1.0
 */
export type Issue = typeof Issue.Type

/**
 * The issue as a sentence: "n must be 1 to 10 (got 11)". `nameOf` translates the param's name for the reader: to its name on
 * the wire (`wireNameOf`), or to a flag of a command.
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

/** The kind of a value, for messages about a wrong type. */
export const kindOf = (value: unknown): string => {
  if (value === undefined) return "nothing"
  if (value === null) return "null"
  if (Number.isNaN(value)) return "NaN"
  if (Array.isArray(value)) return "a list"
  return Predicate.isObject(value) ? "an object" : `a ${typeof value}`
}

/** A value as it is shown in a message: long strings only by their length. */
export const show = (value: unknown): string => {
  if (Predicate.isString(value)) return value.length <= 40 ? JSON.stringify(value) : `${countOf(value)} characters`
  return Predicate.isNumber(value) ? String(value) : kindOf(value)
}

/** The number of characters as the API counts them: code points. */
export const countOf = (text: string): number => {
  let count = 0
  for (const _ of text) count++
  return count
}

/** Reads these members of a value once each. The value must be an object, and its getters must not throw. */
export const readMembers = (
  value: unknown,
  names: ReadonlyArray<string>
): Result.Result<Readonly<Record<string, unknown>>, Issue> => {
  const issue = (given: string) => ({ param: "params", given, allowed: "an object" })
  if (!Predicate.isObject(value)) return Result.fail(issue(kindOf(value)))
  return Result.try({
    try: () => Object.fromEntries(names.map((name) => [name, property(value, name)])),
    catch: () => issue("one with a getter that throws")
  })
}
