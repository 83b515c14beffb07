/** Results of checking options: the checked value, or the rules that were broken. */
import * as Result from "effect/Result"
import type { Issue } from "../issue.ts"

/** The checked value of an option, or at least one rule that the option breaks. */
export type Checked<A> = Result.Result<A, ReadonlyArray<Issue>>

export const refuse = (param: string, allowed: string, given: string): Result.Result<never, ReadonlyArray<Issue>> =>
  Result.fail([{ param, given, allowed }])

/** The issues of all parts. `Result.all` is not used, because it would stop at the first failed part. */
export const issuesOf = (parts: Readonly<Record<string, Checked<unknown>>>) =>
  Object.values(parts).flatMap((part) => (Result.isFailure(part) ? part.failure : []))
