import { createOpenAI } from "@ai-sdk/openai"
import { generateImage } from "ai"

const provider = createOpenAI({ apiKey: "the key", baseURL: "https://inference.do-ai.run/v1" })

/**
 * Returns the bytes of two images. The `ai` SDK sends two requests, because it does not know this model.
 */
export const draw = async (prompt: string): Promise<ReadonlyArray<Uint8Array>> => {
  const { images } = await generateImage({ model: provider.image("openai-gpt-image-2"), prompt, n: 2 })
  return images.map((image) => image.uint8Array)
}
