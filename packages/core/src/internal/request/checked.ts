/**
 * Results of checking options: a value, or every broken rule.
 */
import * as Result from "effect/Result"
import type { Issue } from "../issue.ts"

/** A checked option, or every rule that it breaks. */
export type Checked<A> = Result.Result<A, ReadonlyArray<Issue>>

export const refuse = (param: string, allowed: string, given: string): Result.Result<never, ReadonlyArray<Issue>> =>
  Result.fail([{ param, given, allowed }])

/** The issues of all parts. `Result.all` would stop at the first. */
export const issuesOf = (parts: Readonly<Record<string, Checked<unknown>>>) =>
  Object.values(parts).flatMap((part) => (Result.isFailure(part) ? part.failure : []))
