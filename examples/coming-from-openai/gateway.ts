import OpenAI from "openai"

/**
 * Prints the type of each event of a stream that the gateway sends. `apiKey` is one of the keys that the gateway accepts.
 * `baseURL` is the URL that `gradient-images gateway` prints when it starts.
 */
export const printEvents = async (baseURL: string, apiKey: string) => {
  const client = new OpenAI({ apiKey, baseURL })
  const events = await client.images.generate({ prompt: "A red fox", stream: true, partial_images: 2 })
  for await (const event of events) console.log(event.type)
}
