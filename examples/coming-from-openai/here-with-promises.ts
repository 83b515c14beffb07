import { GradientError, Images } from "@effect-gradient/core"
import { type ManagedRuntime, Stream } from "effect"
import { writeFile } from "node:fs/promises"

/**
 * Writes each image to the file, in place of the one before, which was less sharp. Returns a message for the user, or
 * throws the error if it has no message for it.
 */
export const draw = async (
  images: ManagedRuntime.ManagedRuntime<Images.Images, GradientError.GradientError>,
  prompt: string,
  path: string
): Promise<string> => {
  try {
    const events = Images.generateStream({
      prompt,
      partialImages: 3
    })
    const context = await images.context()
    for await (const event of Stream.toAsyncIterableWith(events, context)) {
      await writeFile(path, event.bytes)
    }
    return "Done"
  } catch (error) {
    if (!GradientError.isGradientError(error)) throw error
    switch (error.reason._tag) {
      case "RateLimitError":
        return "Please wait a minute."
      case "IncompleteStreamError":
        return "The stream was cut off."
      default:
        throw error
    }
  }
}
