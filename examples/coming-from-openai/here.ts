import { Images } from "@effect-gradient/core"
import { ImageFile } from "@effect-gradient/node"
import { Effect, Stream } from "effect"

/**
 * Writes each image to the file, in place of the one before, which was less sharp. Returns a message for the user, or
 * fails with the error if it has no message for it.
 */
export const draw = (prompt: string, path: string) =>
  Images.generateStream({
    prompt,
    partialImages: 3
  }).pipe(
    ImageFile.writeLatest(path, { overwrite: true }),
    Stream.runDrain,
    Effect.as("Done"),
    Effect.catchReasons("GradientError", {
      RateLimitError: () => Effect.succeed("Please wait a minute."),
      IncompleteStreamError: () => Effect.succeed("The stream was cut off.")
    })
  )
