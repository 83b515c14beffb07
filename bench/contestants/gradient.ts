/**
 * `@digitalocean/gradient`, an SDK of DigitalOcean.
 */
import Gradient from "@digitalocean/gradient"
import type { MakeClient } from "../MakeClient.ts"

export const make: MakeClient = ({ baseUrl, images, timeoutMillis }) => {
  const client = new Gradient({ modelAccessKey: "bench", baseURL: baseUrl, timeout: timeoutMillis })
  const params = { model: "bench", prompt: "A cute baby sea otter" }
  return {
    stream: async () => {
      let bytes = 0
      const events = await client.images.generate({ ...params, stream: true, partial_images: images - 1 })
      for await (const event of events) bytes += Buffer.from(event.b64_json, "base64").length
      return bytes
    },
    generate: async () => {
      const { data } = await client.images.generate({ ...params, n: images })
      return data.map((image) => Buffer.from(image.b64_json, "base64")).reduce((sum, { length }) => sum + length, 0)
    }
  }
}
