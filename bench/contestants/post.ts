/**
 * Sends the request with fetch, for contestants that have no HTTP client of their own.
 */
import type { Endpoint } from "../MakeClient.ts"

export const post = async ({ baseUrl, images }: Endpoint, stream: boolean): Promise<AsyncIterable<Uint8Array>> => {
  const response = await fetch(`${baseUrl}/images/generations`, {
    method: "POST",
    headers: { "content-type": "application/json", authorization: "Bearer bench" },
    body: JSON.stringify({ model: "bench", prompt: "A cute baby sea otter", n: images, stream })
  })
  if (!response.ok || response.body === null) throw new Error(`status ${response.status}`)
  return response.body
}
