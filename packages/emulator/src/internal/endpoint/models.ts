/** The default models, and the replies about models. */
import * as ErrorBody from "@effect-gradient/core/ErrorBody"
import * as HttpServerResponse from "effect/http/HttpServerResponse"

/**
 * The models that the provider is believed to have in November 2026, and the successors that OpenAI names for some of
 * them, with the provider's prefix.
 */
export const defaultModels: ReadonlyArray<string> = [
  "openai-gpt-image-2",
  "openai-gpt-image-1.5",
  "openai-gpt-image-2.5-sunburst",
  "openai-gpt-image-2.5-flare",
  "openai-gpt-image-2.6-sunburst",
  "openai-gpt-image-2.6-flare",
  "stable-diffusion-3.5-large"
]

/** The creation time that is given for all models, because their real times are not known. */
const created = Date.UTC(2026, 0, 1) / 1000

const ownerOf = (id: string): string => (id.startsWith("openai-") ? "openai" : "digitalocean")

/** The reply to `GET /v1/models`, in OpenAI's form. */
export const listReply = (ids: ReadonlyArray<string>): HttpServerResponse.HttpServerResponse =>
  HttpServerResponse.jsonUnsafe({
    object: "list",
    data: ids.map((id) => ({ id, object: "model", created, owned_by: ownerOf(id) }))
  })

/** The provider's reply to a request for an unknown model. */
export const notFoundReply = (requestId: string): HttpServerResponse.HttpServerResponse =>
  HttpServerResponse.jsonUnsafe(
    { id: ErrorBody.codes.notFound, message: "Model not found", request_id: requestId },
    { status: 404 }
  )
