import OpenAI from "openai"

/** `apiKey` is one of the keys for callers. `baseURL` is the line that the gateway prints. */
export const printEvents = async (baseURL: string, apiKey: string) => {
  const client = new OpenAI({ apiKey, baseURL })
  const events = await client.images.generate({ prompt: "A red fox", stream: true, partial_images: 2 })
  for await (const event of events) console.log(event.type)
}
