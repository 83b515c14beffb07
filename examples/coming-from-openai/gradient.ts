import Gradient from "@digitalocean/gradient"
import { writeFile } from "node:fs/promises"

/**
 * Writes each image to the file, in place of the one before, which was less sharp. Returns a message for the user, or
 * throws the error if it has no message for it.
 */
export const draw = async (client: Gradient, prompt: string, path: string): Promise<string> => {
  try {
    const events = await client.images.generate({
      model: "openai-gpt-image-2",
      prompt,
      stream: true,
      partial_images: 3
    })
    let isComplete = false
    for await (const event of events) {
      await writeFile(path, Buffer.from(event.b64_json, "base64"))
      isComplete = event.type === "image_generation.completed"
    }
    return isComplete ? "Done" : "The stream was cut off."
  } catch (error) {
    if (error instanceof Gradient.RateLimitError) {
      return "Please wait a minute."
    }
    throw error
  }
}
