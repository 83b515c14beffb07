/** Tokens as the real service counts them, near enough: the prompt's by its length, a picture's by quality and size. */
import type { ImageGenerateResponse } from "@effect-gradient/core"
import type { Order } from "./Order.ts"

/** Of a picture of 1024x1024. */
const pictureTokens = { low: 272, medium: 1056, high: 4160 } as const

/** Each partial image costs this much more. */
const partialTokens = 100

export const usageOf = (
  { height, n, partialImages = 0, prompt, quality, width }: Order,
  images = n
): ImageGenerateResponse.Usage => {
  const inputTokens = Math.ceil(prompt.length / 4) + 6
  const picture = Math.ceil((pictureTokens[quality] * width * height) / 1024 ** 2)
  const outputTokens = images * (picture + partialImages * partialTokens)
  return {
    inputTokens,
    outputTokens,
    totalTokens: inputTokens + outputTokens,
    inputTokensDetails: { textTokens: inputTokens, imageTokens: 0 }
  }
}
