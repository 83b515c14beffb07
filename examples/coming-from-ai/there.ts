import { createOpenAI } from "@ai-sdk/openai"
import { generateImage } from "ai"

const provider = createOpenAI({ apiKey: "the key", baseURL: "https://inference.do-ai.run/v1" })

/** Two images, of a model that makes them one at a time or together. */
export const draw = async (prompt: string): Promise<ReadonlyArray<Uint8Array>> => {
  const { images } = await generateImage({ model: provider.image("openai-gpt-image-2"), prompt, n: 2 })
  return images.map((image) => image.uint8Array)
}
