/**
 * The code in the table of docs/coming-from-openai.md, so that the compiler checks it. In each row, `there` is the code for
 * the other client, and `here` the code for this library.
 */
import Gradient from "@digitalocean/gradient"
import {
  type GradientClient,
  GradientError,
  type ImageGenerateResponse,
  Images,
  type ImageGenStreamEvent,
  Models,
  RetryPolicy
} from "@effect-gradient/core"
import { NodeImages } from "@effect-gradient/node"
import { Effect, Fiber, type Redacted, Stream } from "effect"
import OpenAI from "openai"

type Params = OpenAI.ImageGenerateParams
type RequestOptions = NonNullable<Parameters<OpenAI["images"]["generate"]>[1]>
type HereParams = Parameters<typeof Images.generateStream>[0]
type There = OpenAI.ImagesResponse & { _request_id?: string | null }
type ThereEvent = OpenAI.ImageGenStreamEvent
type Here = ImageGenerateResponse.ImageGenerateResponse
type HereEvent = ImageGenStreamEvent.ImageGenStreamEvent
type Call = Effect.Effect<Here, GradientError.GradientError>

interface Row {
  /** The code for the other client: `openai` or `@digitalocean/gradient`. */
  readonly there: (...args: ReadonlyArray<never>) => unknown
  readonly here: (...args: ReadonlyArray<never>) => unknown
}

export const rows: ReadonlyArray<Row> = [
  {
    there: (apiKey: string, baseURL: string) => new OpenAI({ apiKey, baseURL }),
    here: (modelAccessKey: Redacted.Redacted, baseUrl: string) => NodeImages.layer({ modelAccessKey, baseUrl })
  },
  {
    there: (modelAccessKey: string) => new Gradient({ modelAccessKey }),
    here: (modelAccessKey: Redacted.Redacted) => NodeImages.layer({ modelAccessKey })
  },
  {
    there: (client: OpenAI, prompt: string) => client.images.generate({ prompt }),
    here: (prompt: string) => Images.generate({ prompt })
  },
  {
    there: (client: OpenAI, prompt: string) => client.images.generate({ prompt, stream: true }),
    here: (prompt: string) => Images.generateStream({ prompt })
  },
  {
    there: (): Partial<Params> => ({ output_format: "webp", partial_images: 3 }),
    here: (): Partial<HereParams> => ({ outputFormat: "webp", partialImages: 3 })
  },
  {
    there: (response: There) => response.data?.[0]?.b64_json,
    here: (response: Here) => response.data[0].bytes
  },
  {
    there: (response: There) => response.data?.[0]?.revised_prompt,
    here: (response: Here) => response.data[0].revisedPrompt
  },
  {
    there: (response: There) => response.created,
    here: (response: Here) => response.created
  },
  {
    there: (response: There) => response.usage?.total_tokens,
    here: (response: Here) => response.usage?.totalTokens
  },
  {
    there: (response: There) => response._request_id,
    here: (response: Here) => response.requestId
  },
  {
    there: (event: ThereEvent) => event.type === "image_generation.completed",
    here: (event: HereEvent) => event._tag === "Completed"
  },
  {
    there: (event: OpenAI.ImageGenPartialImageEvent) => event.partial_image_index,
    here: (event: ImageGenStreamEvent.PartialImage) => event.partialImageIndex
  },
  {
    there: (error: unknown) => error instanceof OpenAI.APIError,
    here: (error: unknown) => error instanceof GradientError.GradientError
  },
  {
    there: (error: unknown) => error instanceof OpenAI.RateLimitError,
    here: (error: GradientError.GradientError) => error.reason._tag === "RateLimitError"
  },
  {
    there: (error: InstanceType<typeof OpenAI.APIError>) => error.status,
    here: (error: GradientError.GradientError) => error.reason.status
  },
  {
    there: (error: InstanceType<typeof OpenAI.APIError>) => error.code,
    here: (error: GradientError.GradientError) => error.reason.code
  },
  {
    there: (error: InstanceType<typeof OpenAI.APIError>) => error.requestID,
    here: (error: GradientError.GradientError) => error.reason.requestId
  },
  {
    there: (): RequestOptions => ({ maxRetries: 0 }),
    here: (): GradientClient.RequestOptions => ({ retry: RetryPolicy.none })
  },
  {
    there: (): RequestOptions => ({ timeout: 180_000 }),
    here: (): GradientClient.RequestOptions => ({ timeout: "3 minutes" })
  },
  {
    there: (): RequestOptions => ({ headers: { "x-team": "otters" } }),
    here: (): GradientClient.RequestOptions => ({ headers: { "x-team": "otters" } })
  },
  {
    there: (signal: AbortSignal): RequestOptions => ({ signal }),
    here: (call: Call, signal: AbortSignal) => Effect.runPromise(call, { signal })
  },
  {
    there: (controller: AbortController) => controller.abort(),
    here: (fiber: Fiber.Fiber<Here>) => Fiber.interrupt(fiber)
  },
  {
    there: (stream: { readonly controller: AbortController }) => stream.controller.abort(),
    here: (stream: Stream.Stream<HereEvent>) => Stream.take(stream, 1)
  },
  {
    there: (client: OpenAI) => client.models.list(),
    here: () => Models.list
  }
]
