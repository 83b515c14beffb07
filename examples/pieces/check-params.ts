import { ImageGenerateParams } from "@effect-gradient/core"

/** Checks a form by the rules of `Images.generate`, and returns a message for each wrong field. It sends nothing. */
export const problemsOf = (form: unknown): Readonly<Record<string, string>> =>
  Object.fromEntries(
    ImageGenerateParams.check(form, "generate").map((issue) => [issue.param, ImageGenerateParams.renderIssue(issue)])
  )
