import * as GradientError from "../../GradientError.ts"

/** What was given that cannot be sent: each by its name, and all of them in the description. */
export const invalidParams = (
  issues: ReadonlyArray<{ readonly param: string; readonly message: string }>
): GradientError.InvalidParamsError =>
  new GradientError.InvalidParamsError({
    issues,
    description: issues.map(({ message, param }) => (param === "" ? message : `${param}: ${message}`)).join("; ")
  })
