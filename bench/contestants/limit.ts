/**
 * The limit: reads the body with fetch and drops it.
 */
import type { Endpoint, MakeClient } from "../MakeClient.ts"
import { post } from "./post.ts"

const readAndDrop = async (endpoint: Endpoint, stream: boolean): Promise<number> => {
  let bytes = 0
  for await (const chunk of await post(endpoint, stream)) bytes += chunk.length
  return bytes
}

export const make: MakeClient = (endpoint) => ({
  stream: () => readAndDrop(endpoint, true),
  generate: () => readAndDrop(endpoint, false)
})
