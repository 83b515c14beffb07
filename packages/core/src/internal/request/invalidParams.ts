import * as GradientError from "../../GradientError.ts"
import { type Issue, renderIssues } from "../issue.ts"
import { redactText } from "../redaction.ts"

/**
 * The reason for params or options that break rules. The description lists the issues. Keys of the service, and secrets
 * in `headers`, are redacted in the values that were given, because a key may have been given as another option.
 */
export const invalidParams = (
  all: ReadonlyArray<Issue>,
  headers: Readonly<Record<string, string>> = {}
): GradientError.InvalidParamsError => {
  const redact = redactText(headers)
  const issues = all.map((issue) => ({ ...issue, given: redact(issue.given) }))
  return new GradientError.InvalidParamsError({ issues, description: renderIssues(issues) })
}
