import * as GradientError from "../../GradientError.ts"
import { type Issue, renderIssues } from "../issue.ts"

/** The reason for params or options that break rules. The description lists the issues. */
export const invalidParams = (issues: ReadonlyArray<Issue>): GradientError.InvalidParamsError =>
  new GradientError.InvalidParamsError({ issues, description: renderIssues(issues) })
