/** The message of an error for a user of the command line. */
import * as GradientError from "@effect-gradient/core/GradientError"
import * as Config from "effect/Config"
import * as SchemaIssue from "effect/SchemaIssue"

/** Phrases of core's messages for programmers, each with its replacement for the command line. */
const replacements: ReadonlyArray<readonly [string | RegExp, string]> = [
  ["from the call's `model`", "from --model"],
  [
    "Name another one as `model` or in GRADIENT_IMAGE_MODEL; `Models.list` and `gradient-images models` list them.",
    'Choose another one with --model or GRADIENT_IMAGE_MODEL; "gradient-images models" lists them.'
  ],
  ["Raise `deadline`, or ask for", "Ask for"],
  ["raise `timeout`", "raise --timeout"],
  ["raise `idleTimeout`", "raise --idle-timeout"],
  ["stream with partial images", "use --partial-images"],
  ["streaming with partial images keeps", "--partial-images keeps"],
  [" The images that arrived are in `images`.", ""], // The command line prints the paths of the images.
  [/an image was sent as a URL;.*(?=\. Check)/, "an image was sent as a URL"] // Each address has a line of its own.
]

/** The URLs that the service sent in place of images. */
export const urlsOf = (error: unknown): ReadonlyArray<string> =>
  GradientError.isGradientError(error) && error.reason._tag === "InvalidResponseError" ? error.reason.urls : []

/** The message without addresses of images. */
export const wordsOf = (error: Error): string =>
  GradientError.isGradientError(error)
    ? replacements.reduce((text, [from, to]) => text.replace(from, to), error.message)
    : error.message

const issuesOf = SchemaIssue.makeFormatterStandardSchemaV1()

/** The message of an environment variable that is not set, or has an unusable value. `ConfigError` names its path last. */
export const configMessageOf = ({ cause }: Config.ConfigError): string =>
  cause._tag === "SourceError"
    ? cause.message
    : issuesOf(cause.issue)
        .issues.map(
          ({ message, path = [] }) =>
            `The environment variable ${path.map(String).join("_")} is not set, or its value cannot be used: ${message}`
        )
        .join("\n")

/** The message, and a line for each image of which only the URL is known. */
export const messageOf = (error: unknown): string => {
  if (error instanceof Config.ConfigError) return configMessageOf(error)
  return error instanceof Error
    ? [wordsOf(error), ...urlsOf(error).map((url) => `Download this image soon, as it may expire: ${url}`)].join("\n")
    : String(error)
}
