/** The models that the emulator knows, as `GET /v1/models` lists them. */
import * as HttpServerResponse from "effect/http/HttpServerResponse"

/** What the provider is believed to serve as of 2026-11, and the successors that OpenAI names, with the provider's prefix. */
export const today: ReadonlyArray<string> = [
  "openai-gpt-image-2",
  "openai-gpt-image-1.5",
  "openai-gpt-image-2.5-sunburst",
  "openai-gpt-image-2.5-flare",
  "openai-gpt-image-2.6-sunburst",
  "openai-gpt-image-2.6-flare",
  "stable-diffusion-3.5-large"
]

/** The same time for all: nothing is known of theirs. */
const created = Date.UTC(2026, 0, 1) / 1000

const ownerOf = (id: string): string => (id.startsWith("openai-") ? "openai" : "digitalocean")

/** The list in OpenAI's form. */
export const listReply = (ids: ReadonlyArray<string>): HttpServerResponse.HttpServerResponse =>
  HttpServerResponse.jsonUnsafe({
    object: "list",
    data: ids.map((id) => ({ id, object: "model", created, owned_by: ownerOf(id) }))
  })

/** The provider's reply to a request for a model that it does not have. */
export const notFoundReply = (requestId: string): HttpServerResponse.HttpServerResponse =>
  HttpServerResponse.jsonUnsafe({ id: "not_found", message: "Model not found", request_id: requestId }, { status: 404 })
