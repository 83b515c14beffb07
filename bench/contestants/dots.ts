/**
 * `@digitalocean/dots`, an SDK of DigitalOcean. It has no option for a timeout.
 */
import { Client } from "@digitalocean/dots/inference"
import type { MakeClient } from "../MakeClient.ts"

export const make: MakeClient = ({ baseUrl, images }) => {
  const client = new Client({ apiKey: "bench", baseURL: baseUrl })
  const params = { model: "bench", prompt: "A cute baby sea otter" }
  return {
    stream: async () => {
      let bytes = 0
      const events = await client.images.generate({ ...params, stream: true, partial_images: images - 1 })
      for await (const event of events) bytes += Buffer.from(event.b64_json ?? "", "base64").length
      return bytes
    },
    generate: async () => {
      const { data } = await client.images.generate({ ...params, n: images })
      return data
        .map((image) => Buffer.from(image.b64_json ?? "", "base64"))
        .reduce((sum, { length }) => sum + length, 0)
    }
  }
}
