/** Makes the message of an error for a user of the command line. */
import * as GradientError from "@effect-gradient/core/GradientError"
import * as Config from "effect/Config"
import * as SchemaIssue from "effect/SchemaIssue"

/** Pairs: a phrase for programmers in core's messages, and its replacement for users of the command line. */
const replacements: ReadonlyArray<readonly [string | RegExp, string]> = [
  ["from the call's `model`", "from --model"],
  [
    "Set `model` or GRADIENT_IMAGE_MODEL to another model; `Models.list` and `gradient-images models` list all models.",
    'Choose another model with --model or GRADIENT_IMAGE_MODEL; "gradient-images models" lists all models.'
  ],
  ["Raise `deadline`, or ask for", "Ask for"],
  ["raise `timeout`", "raise --timeout"],
  ["raise `idleTimeout`", "raise --idle-timeout"],
  ["stream with partial images", "use --partial-images"],
  // The command line has no option `limits`, and prints the paths of the images that arrived.
  [", or raise `limits` if the response exceeds them", ""],
  [" Images that arrived are in `reason.images`.", ""],
  [/an image was sent as a URL;.*(?=\. Check)/, "an image was sent as a URL"] // Cuts out the URLs, which are printed separately.
]

/** Returns the URLs that the service sent instead of images. */
export const urlsOf = (error: unknown): ReadonlyArray<string> =>
  GradientError.isGradientError(error) && error.reason._tag === "InvalidResponseError" ? error.reason.urls : []

/** Returns the message of an error in the words of the command line, without URLs of images. */
export const wordsOf = (error: Error): string =>
  GradientError.isGradientError(error)
    ? replacements.reduce((text, [from, to]) => text.replace(from, to), error.message)
    : error.message

const issuesOf = SchemaIssue.makeFormatterStandardSchemaV1()

/**
 * Returns a line for each environment variable that is not set or has an unusable value. The line names the variable
 * first, while the message of `ConfigError` names it last. A `SourceError` keeps its message.
 */
export const configMessageOf = ({ cause }: Config.ConfigError): string =>
  cause._tag === "SourceError"
    ? cause.message
    : issuesOf(cause.issue)
        .issues.map(
          ({ message, path = [] }) =>
            `The environment variable ${path.map(String).join("_")} is not set, or its value cannot be used: ${message}`
        )
        .join("\n")

/** Returns the message of an error. For each image that the service sent only as a URL, it has a line with the URL. */
export const messageOf = (error: unknown): string => {
  if (error instanceof Config.ConfigError) return configMessageOf(error)
  return error instanceof Error
    ? [
        wordsOf(error),
        ...urlsOf(error).map((url) => `Download this image soon, because its URL may expire: ${url}`)
      ].join("\n")
    : String(error)
}
