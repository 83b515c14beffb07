import { ImageGenerateParams } from "@effect-gradient/core"

/** What is wrong with a form, by field: the rules of `Images.generate`, without sending anything. */
export const problemsOf = (form: unknown): Readonly<Record<string, string>> =>
  Object.fromEntries(
    ImageGenerateParams.check(form, "generate").map((issue) => [issue.param, ImageGenerateParams.renderIssue(issue)])
  )
