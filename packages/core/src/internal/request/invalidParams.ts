import * as GradientError from "../../GradientError.ts"
import { type Issue, renderIssues } from "../issue.ts"

/** The error of params or options that cannot be sent, with all issues in its description. */
export const invalidParams = (issues: ReadonlyArray<Issue>): GradientError.InvalidParamsError =>
  new GradientError.InvalidParamsError({ issues, description: renderIssues(issues) })
