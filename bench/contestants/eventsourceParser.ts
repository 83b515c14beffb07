/** fetch, eventsource-parser and JSON.parse, with the least code that works. */
import { createParser } from "eventsource-parser"
import { text } from "node:stream/consumers"
import type { MakeClient } from "../MakeClient.ts"
import { post } from "./post.ts"

const hasBase64 = (value: unknown): value is { readonly b64_json: string } =>
  typeof value === "object" && value !== null && "b64_json" in value && typeof value.b64_json === "string"

const hasData = (value: unknown): value is { readonly data: ReadonlyArray<unknown> } =>
  typeof value === "object" && value !== null && "data" in value && Array.isArray(value.data)

const imageOf = (value: unknown): Uint8Array => {
  if (!hasBase64(value)) throw new Error("no image")
  return Buffer.from(value.b64_json, "base64")
}

export const make: MakeClient = (endpoint) => ({
  stream: async () => {
    let bytes = 0
    const parser = createParser({
      onEvent: ({ data }) => {
        bytes += imageOf(JSON.parse(data)).length
      }
    })
    const decoder = new TextDecoder()
    for await (const chunk of await post(endpoint, true)) parser.feed(decoder.decode(chunk, { stream: true }))
    return bytes
  },
  generate: async () => {
    const body: unknown = JSON.parse(await text(await post(endpoint, false)))
    if (!hasData(body)) throw new Error("no data")
    return body.data.map(imageOf).reduce((sum, image) => sum + image.length, 0)
  }
})
