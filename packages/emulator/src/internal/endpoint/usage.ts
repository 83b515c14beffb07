/**
 * Estimates the tokens that the real service would count: by the prompt's length, the number, quality and size of the
 * images, and the number of partial images.
 */
import type { ImageGenerateResponse } from "@effect-gradient/core"
import type { GenerationRequest } from "./GenerationRequest.ts"

/** The tokens of an image of 1024x1024 pixels, by quality. */
const imageTokens = { low: 272, medium: 1056, high: 4160, xhigh: 8320, max: 16_640 } as const

/** The tokens of each partial image, of any quality and size. */
const partialTokens = 100

export const usageOf = (
  { height, n, partialImages = 0, prompt, quality, width }: GenerationRequest,
  images = n
): ImageGenerateResponse.Usage => {
  const inputTokens = Math.ceil(prompt.length / 4) + 6
  const image = Math.ceil((imageTokens[quality] * width * height) / 1024 ** 2)
  const outputTokens = images * (image + partialImages * partialTokens)
  return {
    inputTokens,
    outputTokens,
    totalTokens: inputTokens + outputTokens,
    inputTokensDetails: { textTokens: inputTokens, imageTokens: 0 }
  }
}
