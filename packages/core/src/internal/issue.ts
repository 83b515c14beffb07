/**
 * A broken rule as data, and the one sentence that is made from it.
 */
import * as Predicate from "effect/Predicate"
import * as Result from "effect/Result"
import * as Schema from "effect/Schema"
import { property } from "./property.ts"

/**
 * A param or an option that breaks a rule.
 *
 * @category models
 */
export const Issue = Schema.Struct({
  /** The name of the param or of the option: `outputFormat`, `headers.x-team`. */
  param: Schema.String,
  /** What was given: `11`, `"soon"`, `a string`, `40000 characters`. Never a secret. */
  given: Schema.String,
  /** What is allowed instead: `1 to 10`. */
  allowed: Schema.String
})

/** @category models */
export type Issue = typeof Issue.Type

/**
 * The issue as a sentence: "n must be 1 to 10 (got 11)". `nameOf` gives the param's name in the reader's terms, such as
 * `wireNameOf` or a flag's name.
 *
 * @category rendering
 */
export const renderIssue = (
  { allowed, given, param }: Issue,
  nameOf: (param: string) => string = (name) => name
): string => `${nameOf(param)} must be ${allowed} (got ${given})`

/**
 * All issues in one text, separated by semicolons.
 *
 * @category rendering
 */
export const renderIssues = (issues: ReadonlyArray<Issue>, nameOf?: (param: string) => string): string =>
  issues.map((issue) => renderIssue(issue, nameOf)).join("; ")

/** The kind of a value, for one of the wrong type. */
export const kindOf = (value: unknown): string => {
  if (value === undefined) return "nothing"
  if (value === null) return "null"
  if (Number.isNaN(value)) return "NaN"
  if (Array.isArray(value)) return "a list"
  return Predicate.isObject(value) ? "an object" : `a ${typeof value}`
}

/** A value, short enough for a message. */
export const show = (value: unknown): string => {
  if (Predicate.isString(value)) return value.length <= 40 ? JSON.stringify(value) : `${countOf(value)} characters`
  return Predicate.isNumber(value) ? String(value) : kindOf(value)
}

/** Characters as the API counts them: code points. */
export const countOf = (text: string): number => {
  let count = 0
  for (const _ of text) count++
  return count
}

/** These members of a value, each read once. A value that is no object, or whose getters throw, is an issue. */
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
